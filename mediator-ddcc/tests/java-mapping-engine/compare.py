"""Compares two files of JSON documents, one after the other, UUIDs and logical resourceTypes apart.

usage: compare.py MAP OURS THEIRS     exit 1 when they differ
       compare.py --split FILE PREFIX writes each document to PREFIX-N.json
"""

import difflib
import json
import re
import sys

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def documents(path):
    text = open(path, encoding="utf-8").read().strip()
    decoder = json.JSONDecoder()
    found = []
    while text:
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:].strip()
    return found


def normalised(document):
    # HL7's engine writes the logical model's name as if it were a resource's type.
    if str(document.get("resourceType")).startswith("DDCCCoreDataSet"):
        del document["resourceType"]
    # UUIDs are numbered in the order in which they stand there.
    numbers = {}
    text = json.dumps(document, indent=1, ensure_ascii=False)
    text = UUID.sub(lambda match: numbers.setdefault(match[0], f"uuid-{len(numbers)}"), text)
    return json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False)


def compare(name, ours, theirs):
    ours, theirs = documents(ours), documents(theirs)
    if not ours or len(ours) != len(theirs):
        print(f"{name}: {len(ours)} results of ours, {len(theirs)} of the Java engine")
        return False
    same = 0
    for index, (one, other) in enumerate(zip(map(normalised, ours), map(normalised, theirs))):
        if one == other:
            same += 1
            continue
        print(f"{name}: result {index + 1} differs")
        lines = difflib.unified_diff(other.splitlines(), one.splitlines(), "java", "ours", lineterm="")
        print("\n".join(lines))
    print(f"{name}: {same} of {len(ours)} results are the same")
    return same == len(ours)


if sys.argv[1] == "--split":
    for number, document in enumerate(documents(sys.argv[2])):
        with open(f"{sys.argv[3]}-{number:02}.json", "w", encoding="utf-8") as file:
            json.dump(document, file, ensure_ascii=False)
else:
    sys.exit(0 if compare(*sys.argv[1:]) else 1)
