"""document.json: its signature, and that it holds the same codes as the files beside it."""

import copy
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fhir.resources.R4B.bundle import Bundle

from verify_document import verify


def test_signature(certificate, signer_pem):
    header = verify(certificate.path("document.json").read_bytes(), signer_pem)
    assert header["alg"] == "ES256"


def test_no_altered_value_passes(certificate, signer_pem):
    document = certificate.document
    for path in texts(document):
        altered = copy.deepcopy(document)
        holder = altered
        for name in path[:-1]:
            holder = holder[name]
        value = holder[path[-1]]
        at = len(value) // 2
        holder[path[-1]] = value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :]
        with pytest.raises(Exception):
            verify(json.dumps(altered).encode(), signer_pem)
    for index in range(len(document["entry"])):
        altered = copy.deepcopy(document)
        del altered["entry"][index]
        with pytest.raises(Exception):
            verify(json.dumps(altered).encode(), signer_pem)


def texts(document):
    """Paths of one text in each element of the document, the signature itself included."""
    yield "timestamp",
    yield "identifier", "value"
    yield "link", 0, "url"
    yield "signature", "data"
    for index, entry in enumerate(document["entry"]):
        yield "entry", index, "fullUrl"
        for name, value in entry["resource"].items():
            if isinstance(value, str):
                yield "entry", index, "resource", name


def test_another_signer_does_not_verify(certificate):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Another signer")])
    other = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(certificate.issued_at.replace(year=2020))
        .not_valid_after(certificate.issued_at.replace(year=2040))
        .sign(key, hashes.SHA256())
    )
    pem = other.public_bytes(serialization.Encoding.PEM)
    with pytest.raises(Exception):
        verify(certificate.path("document.json").read_bytes(), pem)


def test_holds_the_codes(certificate):
    references = certificate.resources("DocumentReference")
    types = [reference["type"]["coding"][0]["code"] for reference in references]
    assert sorted(types) == sorted(certificate.forms)
    card = certificate.path("card.pdf").read_bytes()
    for form in certificate.forms:
        contents = list(certificate.attachments(form))
        kinds = {kind.partition(";")[0] for kind, _ in contents}
        assert {"image/png", "application/pdf"} < kinds and len(contents) == 3
        for kind, content in contents:
            if kind == "image/png":
                assert content == certificate.path(f"{form}.png").read_bytes()
            elif kind == "application/pdf":
                assert content == card
            else:
                assert content.decode() == certificate.text(form)


def test_is_a_document(certificate):
    document = certificate.document
    assert (document["resourceType"], document["type"]) == ("Bundle", "document")
    assert document["entry"][0]["resource"]["resourceType"] == "Composition"
    urls = [entry["fullUrl"] for entry in document["entry"]]
    assert len(set(urls)) == len(urls)
    wanted = {"Composition", "Patient", "Organization", "DocumentReference", "Provenance"}
    if certificate.is_vaccination:
        wanted |= {"Immunization"}
    else:
        wanted |= {"Observation", "DiagnosticReport", "Specimen", "Procedure"}
    assert wanted <= {entry["resource"]["resourceType"] for entry in document["entry"]}
    for reference in references(document["entry"]):
        if reference.startswith("urn:uuid:"):
            assert reference in urls, f"{reference} leads nowhere"


def test_keeps_to_fhir(certificate):
    """Names, types and cardinalities of every element. R4B differs from R4 in none that is used."""
    read = Bundle.model_validate(certificate.document)
    assert json.loads(read.model_dump_json()) == certificate.document
    broken = copy.deepcopy(certificate.document)
    del broken["entry"][0]["resource"]["status"]
    with pytest.raises(ValueError):
        Bundle.model_validate(broken)


def references(value):
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)
