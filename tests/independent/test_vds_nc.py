"""The icao code."""

import json

import pytest

import vds_nc
from forms import only


@only("icao")
def test_signature_and_data(certificate, form, signer):
    data = vds_nc.verify(certificate.text(form), signer)
    assert data["hdr"]["t"] == ("icao.vacc" if certificate.is_vaccination else "icao.test")
    person = data["msg"]["pid"]
    assert person.get("dob") == certificate.holder.get("birthDate")
    if certificate.is_vaccination:
        immunization = certificate.resource("Immunization")
        ((dose,),) = (vaccine["vd"] for vaccine in data["msg"]["ve"])
        assert dose["dvc"] == immunization["occurrenceDateTime"][:10]
        assert dose["seq"] == immunization["protocolApplied"][0]["doseNumberPositiveInt"]
        assert dose["lot"] == immunization["lotNumber"]


@only("icao")
def test_no_altered_value_passes(certificate, form, signer):
    text = certificate.text(form)
    for path, value in list(leaves(json.loads(text))):
        seal = json.loads(text)
        holder = seal
        for name in path[:-1]:
            holder = holder[name]
        if isinstance(value, str):
            # In the middle, where base64 has no unused bits
            at = len(value) // 2
            holder[path[-1]] = value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :]
        else:
            holder[path[-1]] = value + 1
        with pytest.raises(Exception):
            vds_nc.verify(json.dumps(seal), signer)


@only("icao")
def test_no_altered_signature_passes(certificate, form, signer):
    seal = json.loads(certificate.text(form))
    value = seal["sig"]["sigvl"]
    for at in range(0, 80, 5):
        other = "A" if value[at] != "A" else "B"
        seal["sig"]["sigvl"] = value[:at] + other + value[at + 1 :]
        with pytest.raises(Exception):
            vds_nc.verify(json.dumps(seal), signer)


def leaves(value, path=()):
    """(path, value) of everything in a JSON value that is not an object or array."""
    if isinstance(value, (dict, list)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for name, item in items:
            yield from leaves(item, (*path, name))
    else:
        yield path, value
