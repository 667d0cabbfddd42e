#!/usr/bin/env python3
"""Writes r4.txt, the element definitions of FHIR R4, from HL7's own profiles.

usage: generate.py JAR > r4.txt
JAR is ca.uhn.hapi.fhir:hapi-fhir-validation-resources-r4 of Maven Central:
    mvn dependency:copy -Dartifact=ca.uhn.hapi.fhir:hapi-fhir-validation-resources-r4:8.8.0

One line a type: `Name kind Base element...`, kind being p (primitive), t (type) or r (resource).
One word an element: `name[*][?]:Type,Type`; `*` may repeat, `?` is a choice (its JSON name has the
type appended), `:*` is a choice of every data type. Elements with elements of their own have a type
named after their path.
"""

import sys
import xml.etree.ElementTree as xml
import zipfile

FHIR = "{http://hl7.org/fhir}"
FOLDER = "org/hl7/fhir/r4/model/profile/"
TYPE_EXTENSION = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"
KINDS = {"primitive-type": "p", "complex-type": "t", "resource": "r"}


def value(parent, name):
    found = parent.find(FHIR + name)
    return None if found is None else found.get("value")


def type_name(element_type):
    """Types of primitives' values and of ids are FHIRPath's own; an extension names FHIR's."""
    code = value(element_type, "code")
    for extension in element_type.findall(FHIR + "extension"):
        if extension.get("url") == TYPE_EXTENSION:
            for child in extension:
                return child.get("value")
    return code.rpartition(".")[2].lower() if code.startswith("http://hl7.org/fhirpath") else code


def lines(structure):
    kind = KINDS[value(structure, "kind")]
    base = (value(structure, "baseDefinition") or "").rpartition("/")[2] or "-"
    elements = structure.find(FHIR + "snapshot").findall(FHIR + "element")
    paths = [value(element, "path") for element in elements]
    types = {paths[0]: [f"{paths[0]} {kind} {base}"]}
    for element, path in zip(elements[1:], paths[1:]):
        parent, _, name = path.rpartition(".")
        if value(element, "max") == "0":
            continue
        reference = value(element, "contentReference")
        codes = [type_name(found) for found in element.findall(FHIR + "type")]
        if reference:
            codes = [reference[1:]]
        elif any(other.startswith(path + ".") for other in paths):
            types[path] = [f"{path} t {codes[0]}"]
            codes = [path]
        if kind == "r" and name == "id" and parent == paths[0]:
            # R4's definitions say string, its pages and later versions id.
            codes = ["id"]
        word = name.removesuffix("[x]")
        if value(element, "max") != "1":
            word += "*"
        if name.endswith("[x]"):
            word += "?"
            if len(codes) > 40:
                codes = ["*"]
        types[parent].append(f"{word}:{','.join(codes)}")
    return [" ".join(words) for words in types.values()]


def main(jar):
    found = []
    with zipfile.ZipFile(jar) as archive:
        for name in ("profiles-types.xml", "profiles-resources.xml"):
            bundle = xml.parse(archive.open(FOLDER + name)).getroot()
            for structure in bundle.iter(FHIR + "StructureDefinition"):
                # Profiles of types (Age, Duration…) define no elements of their own.
                if value(structure, "kind") in KINDS and (
                    value(structure, "derivation") != "constraint"
                    or value(structure, "baseDefinition").endswith("/Quantity")
                ):
                    rows = lines(structure)
                    if value(structure, "derivation") == "constraint":
                        name, kind, _, *rest = rows[0].split(" ")
                        rows = [" ".join([value(structure, "id"), kind, "Quantity", *rest])]
                    found.extend(rows)
    print("\n".join(sorted(set(found))))


main(*sys.argv[1:])
