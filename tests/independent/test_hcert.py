"""The who and dcc codes."""

import base64
import re
from datetime import datetime, timezone

import cbor2
import cwt
import pytest

import eu_dcc
import hcert
from forms import only

# Marketing authorization holder of products that the EU authorized first
HOLDERS = {
    "EU/1/20/1525": "ORG-100001417",
    "EU/1/20/1528": "ORG-100030215",
    "EU/1/20/1507": "ORG-100031184",
    "EU/1/21/1529": "ORG-100001699",
    "EU/1/21/1618": "ORG-100032020",
}


def period(certificate):
    return certificate.resource("Composition")["event"][0]["period"]


@only("who", "dcc")
def test_signature_and_claims(certificate, form, signer):
    text = certificate.text(form)
    claims = hcert.verify(text, signer)
    assert set(claims) - {5} == {hcert.ISS, hcert.EXP, hcert.IAT, hcert.HCERT}
    assert claims[hcert.ISS] == signer.country
    assert claims[hcert.IAT] == int(certificate.issued_at.timestamp())
    assert hcert.is_nfc(claims)
    end = period(certificate).get("end")
    expires = datetime.fromtimestamp(claims[hcert.EXP], timezone.utc)
    assert end is None or expires.date().isoformat() == end[:10] or expires == signer.ends
    protected, unprotected = hcert.protected_header(text)
    assert protected == {1: -7, 4: signer.kid}
    assert unprotected == {}


@only("who", "dcc")
def test_the_library_for_tokens_agrees_on_the_time(certificate, form, signer):
    """`cwt.decode` looks at the clock too: it refuses what has expired, and nothing else."""
    data, key = hcert.unpack(certificate.text(form)), hcert.cose_key(signer)
    claims = cwt.decode(data, key, no_verify=True)
    if claims[hcert.EXP] > datetime.now(timezone.utc).timestamp():
        assert cwt.decode(data, key) == claims
    else:
        with pytest.raises(cwt.VerifyError, match="expired"):
            cwt.decode(data, key)


@only("who")
def test_who_is_the_core_data_set(certificate, form, signer):
    sub_claims = hcert.verify(certificate.text(form), signer)[hcert.HCERT]
    key = hcert.DDCC_VS if certificate.is_vaccination else hcert.DDCC_TR
    assert list(sub_claims) == [key]
    core = sub_claims[key]
    assert core["name"] == certificate.holder["name"][0]["text"]
    assert core.get("birthDate") == certificate.holder.get("birthDate")
    stated = core["certificate"]
    assert stated["hcid"]["value"] == certificate.hcid
    assert stated["version"] == "RC2"
    assert stated["kid"] == base64.b64encode(signer.kid).decode()
    assert stated["issuer"]["identifier"]["value"]
    assert stated.get("period") == certificate.resource("Composition")["event"][0].get("period")
    if certificate.is_vaccination:
        check_vaccination(core["vaccination"], certificate.resource("Immunization"))
    else:
        check_test(core["test"], certificate.resource("Observation"))


def check_vaccination(event, immunization):
    assert {"vaccine", "brand", "lot", "date", "dose", "country"} <= set(event)
    assert {"manufacturer", "maholder"} & set(event)
    protocol = immunization["protocolApplied"][0]
    assert event["dose"] == protocol["doseNumberPositiveInt"]
    assert event.get("totalDoses") == protocol.get("seriesDosesPositiveInt")
    assert event["lot"] == immunization["lotNumber"]
    assert event["date"] == immunization["occurrenceDateTime"]
    assert event["vaccine"]["code"] == immunization["vaccineCode"]["coding"][0]["code"]
    assert re.fullmatch(r"[A-Z]{3}", event["country"]["code"])


def check_test(event, observation):
    assert {"pathogen", "type", "date", "country"} <= set(event)
    assert event["date"] == observation["effectiveDateTime"]
    if "result" in event:
        assert event["result"]["code"] == observation["valueCodeableConcept"]["coding"][0]["code"]
    assert re.fullmatch(r"[A-Z]{3}", event["country"]["code"])


@only("dcc")
def test_dcc_keeps_to_the_schema(certificate, form, signer):
    sub_claims = hcert.verify(certificate.text(form), signer)[hcert.HCERT]
    assert list(sub_claims) == [hcert.EU_DCC]
    dcc = sub_claims[hcert.EU_DCC]
    eu_dcc.check(dcc)
    assert dcc["ver"] == "1.3.0"
    assert dcc["dob"] == certificate.holder.get("birthDate", "")
    name = f"{dcc['nam'].get('gn', '')} {dcc['nam'].get('fn', '')}".split()
    assert sorted(name) == sorted(certificate.holder["name"][0]["text"].split())
    if certificate.is_vaccination:
        (event,) = dcc["v"]
        assert event["ma"] == HOLDERS.get(event["mp"], event["ma"])
        immunization = certificate.resource("Immunization")
        assert event["dt"] == immunization["occurrenceDateTime"][:10]
        assert event["dn"] == immunization["protocolApplied"][0]["doseNumberPositiveInt"]
    else:
        (event,) = dcc["t"]
        assert "dr" not in event
        taken = datetime.fromisoformat(event["sc"].replace("Z", "+00:00"))
        stated = certificate.resource("Observation")["effectiveDateTime"]
        assert taken == datetime.fromisoformat(stated.replace("Z", "+00:00"))
    # Capital letters and digits with their separators, which every verifier reads
    assert re.fullmatch(r"URN:UVCI:01:[A-Z]{2}:[A-Z0-9/#:]{1,65}", event["ci"])


@only("who", "dcc")
def test_no_altered_byte_passes(certificate, form, signer):
    text = certificate.text(form)
    message = cbor2.loads(hcert.unpack(text))
    for part in (0, 2, 3):
        original = message.value[part]
        for at in range(0, len(original), max(1, len(original) // 16)):
            altered = bytearray(original)
            altered[at] ^= 1
            message.value[part] = bytes(altered)
            with pytest.raises(Exception):
                hcert.verify(hcert.pack(cbor2.dumps(message)), signer)
        message.value[part] = original
    # Nothing but the alterations was at fault.
    hcert.verify(hcert.pack(cbor2.dumps(message)), signer)


@only("who", "dcc")
def test_no_altered_character_passes(certificate, form, signer):
    text = certificate.text(form)
    message = hcert.unpack(text)
    for at in range(0, len(text), 7):
        other = "A" if text[at] != "A" else "B"
        altered = text[:at] + other + text[at + 1 :]
        if message == unpacked(altered):
            # Bits that no symbol of the compressed data uses, which zlib does not look at.
            continue
        with pytest.raises(Exception):
            hcert.verify(altered, signer)


def unpacked(text):
    try:
        return hcert.unpack(text)
    except Exception:
        return None


@only("dcc")
def test_broken_contents_break_the_schema(certificate, form, signer):
    dcc = hcert.verify(certificate.text(form), signer)[hcert.HCERT][hcert.EU_DCC]
    (kind,) = set(dcc) & {"v", "t", "r"}
    for name in ("ver", "nam", "dob", kind):
        with pytest.raises(ValueError):
            eu_dcc.check({key: value for key, value in dcc.items() if key != name})
    for name in ("tg", "co", "is", "ci"):
        event = {key: value for key, value in dcc[kind][0].items() if key != name}
        with pytest.raises(ValueError):
            eu_dcc.check(dcc | {kind: [event]})
    with pytest.raises(ValueError):
        eu_dcc.check(dcc | {kind: [dcc[kind][0] | {"tg": "1"}]})
