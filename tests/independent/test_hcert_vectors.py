"""The verifier here is itself verified, with test vectors of EU member states (`DDCC_FIXTURES`)."""

import base64
import json

import cbor2
import pytest

import eu_dcc
import hcert
from issued import instant
from signer import Signer

STEPS = ("UNPREFIX", "B45DECODE", "COMPRESSION", "DECODE", "VERIFY", "KEYUSAGE", "EXPIRATIONCHECK")


def test_gives_the_expected_result(vector):
    case = json.loads(vector.read_text(encoding="utf-8"))
    context, expected = case["TESTCTX"], case["EXPECTEDRESULTS"]
    steps = [expected[f"EXPECTED{step}"] for step in STEPS if f"EXPECTED{step}" in expected]
    schema = expected.get("EXPECTEDSCHEMAVALIDATION")
    if "PREFIX" in case and steps:
        signer = Signer.from_der(base64.b64decode(context["CERTIFICATE"]))
        now = instant(context["VALIDATIONCLOCK"]) if "EXPECTEDEXPIRATIONCHECK" in expected else None
        if all(steps):
            hcert.verify(case["PREFIX"], signer, now)
        else:
            with pytest.raises(Exception):
                hcert.verify(case["PREFIX"], signer, now)
    elif schema is None:
        pytest.skip("has nothing that is checked here")
    if schema is not None:
        dcc = cbor2.loads(bytes.fromhex(case["CBOR"]))
        if schema:
            eu_dcc.check(dcc.get(hcert.HCERT, {hcert.EU_DCC: dcc})[hcert.EU_DCC])
        else:
            with pytest.raises(Exception):
                eu_dcc.check(dcc)
