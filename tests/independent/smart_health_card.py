"""SMART Health Cards, verified with `jwcrypto`."""

import json
import re
import zlib

from jwcrypto import jwk, jws

from hcert import require

HEADER = {"zip", "alg", "kid"}
LONGEST_JWS = 1195


def compact(text):
    """The JWS in a QR code's text: two digits for each character."""
    require(text.startswith("shc:/"), "the prefix is not shc:/")
    digits = text.removeprefix("shc:/")
    require(re.fullmatch(r"(?:[0-7]\d)+", digits), "not pairs of digits")
    pairs = (int(digits[at : at + 2]) for at in range(0, len(digits), 2))
    return "".join(chr(pair + 45) for pair in pairs)


def pack(compact_jws):
    return "shc:/" + "".join(f"{ord(character) - 45:02}" for character in compact_jws)


def verify(text, signer):
    """The payload of a card that `signer` signed."""
    token = compact(text)
    require(len(token) <= LONGEST_JWS, "the JWS is too long for one code")
    key = jwk.JWK.from_pem(signer.key_pem)
    message = jws.JWS()
    message.allowed_algs = ["ES256"]
    message.deserialize(token)
    message.verify(key)
    header = message.jose_header
    require(set(header) == HEADER, "header parameters other than zip, alg and kid")
    require(header["zip"] == "DEF", "zip is not DEF")
    require(header["kid"] == key.thumbprint(), "kid is not the key's thumbprint")

    decompressor = zlib.decompressobj(wbits=-15)
    data = decompressor.decompress(message.payload, 1 << 16)
    require(decompressor.eof and not decompressor.unused_data, "not one raw deflate stream")
    payload = json.loads(data)
    minified = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    require(minified.encode() == data, "the payload is not minified")
    check(payload)
    return payload


def check(payload):
    """Raises `Refused` where a payload breaks the framework's rules."""
    issuer = payload["iss"]
    require(issuer.startswith("https://") and not issuer.endswith("/"), "iss is not as asked for")
    require(type(payload["nbf"]) in (int, float), "nbf is not a number")
    require("https://smarthealth.cards#health-card" in payload["vc"]["type"], "not a health card")
    subject = payload["vc"]["credentialSubject"]
    require(re.fullmatch(r"4\.\d+\.\d+", subject["fhirVersion"]), "fhirVersion is not 4")
    bundle = subject["fhirBundle"]
    require(bundle["resourceType"] == "Bundle" and bundle["type"] == "collection", "no collection")
    urls = [entry["fullUrl"] for entry in bundle["entry"]]
    require(urls == [f"resource:{n}" for n in range(len(urls))], "fullUrls are not resource:n")
    for entry in bundle["entry"]:
        resource = entry["resource"]
        for element in ("id", "text"):
            require(element not in resource, f"a resource has {element}")
        require(set(resource.get("meta", {})) <= {"security"}, "a resource has meta")
    for reference in references(bundle):
        require(reference in urls, "a reference leads out of the card")


def references(value):
    """Every FHIR reference in a value."""
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)
