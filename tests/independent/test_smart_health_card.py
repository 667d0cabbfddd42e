"""The shc code."""

import base64
import json
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import pytest

import smart_health_card
from forms import only

HERE = Path(__file__).parent


@only("shc")
def test_signature_and_payload(certificate, form, signer):
    payload = smart_health_card.verify(certificate.text(form), signer)
    assert set(payload) <= {"iss", "nbf", "exp", "vc"}
    resources = {
        entry["resource"]["resourceType"]: entry["resource"]
        for entry in payload["vc"]["credentialSubject"]["fhirBundle"]["entry"]
    }
    patient = resources.pop("Patient")
    assert patient["name"] == [{"text": certificate.holder["name"][0]["text"]}]
    assert patient.get("birthDate") == certificate.holder.get("birthDate")
    kind = "Immunization" if certificate.is_vaccination else "Observation"
    assert set(resources) == {kind}
    stated, written = certificate.resource(kind), resources[kind]
    if certificate.is_vaccination:
        assert written["occurrenceDateTime"] == stated["occurrenceDateTime"][:10]
        assert written["lotNumber"] == stated["lotNumber"]
    else:
        assert written["effectiveDateTime"][:10] == stated["effectiveDateTime"][:10]
    if "exp" in payload:
        assert payload["nbf"] < payload["exp"]
        expires = datetime.fromtimestamp(payload["exp"], timezone.utc)
        assert expires <= signer.ends


@only("shc")
def test_another_library_reads_the_same(certificate, form, signer, request):
    payload = smart_health_card.verify(certificate.text(form), signer)
    pem = Path(request.config.getoption("--issued"), "signer.pem").resolve()
    read = read_with_node(certificate.path(f"{form}.txt").resolve(), pem)
    assert read.returncode == 0, read.stderr
    assert json.loads(read.stdout) == payload["vc"]["credentialSubject"]["fhirBundle"]


@only("shc")
def test_another_library_refuses_an_altered_card(certificate, form, request, tmp_path):
    header, payload, signature = smart_health_card.compact(certificate.text(form)).split(".")
    altered = tmp_path / "shc.txt"
    altered.write_text(smart_health_card.pack(f"{header}.{payload}.{flip(signature, 20)}"))
    pem = Path(request.config.getoption("--issued"), "signer.pem").resolve()
    assert read_with_node(altered, pem).returncode != 0


@only("shc")
def test_no_altered_byte_passes(certificate, form, signer):
    parts = smart_health_card.compact(certificate.text(form)).split(".")
    assert smart_health_card.pack(".".join(parts)) == certificate.text(form)
    for part, original in enumerate(parts):
        length = len(base64.urlsafe_b64decode(original + "=" * (-len(original) % 4)))
        for at in range(0, length, max(1, length // 16)):
            altered = [*parts]
            altered[part] = flip(original, at)
            with pytest.raises(Exception):
                smart_health_card.verify(smart_health_card.pack(".".join(altered)), signer)


@only("shc")
def test_broken_payloads_are_refused(certificate, form, signer):
    payload = smart_health_card.verify(certificate.text(form), signer)
    smart_health_card.check(payload)
    for broken in (payload | {"iss": payload["iss"] + "/"}, payload | {"iss": "http://a.example"}):
        with pytest.raises(ValueError):
            smart_health_card.check(broken)
    payload["vc"]["credentialSubject"]["fhirBundle"]["entry"][0]["resource"]["id"] = "1"
    with pytest.raises(ValueError):
        smart_health_card.check(payload)


def flip(text, at):
    """base64url of the same bytes with one bit of one byte changed."""
    value = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    value[at] ^= 1
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def read_with_node(card, pem):
    return subprocess.run(
        ["node", HERE / "read_health_card.mjs", card, pem], capture_output=True, text=True
    )
