"""ICAO Visible Digital Seals (VDS-NC): ECDSA over canonical JSON, verified with `cryptography`
and `rfc8785`."""

import base64
import json
import re

import rfc8785
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from hcert import require


def verify(text, signer):
    """The `data` of a seal that `signer` signed."""
    seal = json.loads(text)
    require(set(seal) == {"data", "sig"}, "not data and sig")
    signature = seal["sig"]
    require(set(signature) == {"alg", "cer", "sigvl"}, "not alg, cer and sigvl")
    require(signature["alg"] == "ES256", "alg is not ES256")
    require(base64url(signature["cer"]) == signer.der, "cer is not the signer's certificate")
    value = base64url(signature["sigvl"])
    require(len(value) == 64, "the signature is not r and s of P-256")
    r, s = (int.from_bytes(half, "big") for half in (value[:32], value[32:]))
    signer.key.verify(
        utils.encode_dss_signature(r, s), rfc8785.dumps(seal["data"]), ec.ECDSA(hashes.SHA256())
    )
    check(seal["data"])
    return seal["data"]


def check(data):
    """Raises `Refused` where a proof of vaccination breaks the report's rules."""
    header, message = data["hdr"], data["msg"]
    require(header["t"] in ("icao.vacc", "icao.test"), "t is neither kind of proof")
    require(header["v"] == 1, "v is not 1")
    require(re.fullmatch(r"[A-Z]{3}", header["is"]), "is has not three letters")
    if header["t"] == "icao.vacc":
        require(0 < len(message["uvci"]) <= 12, "uvci has not 1 to 12 characters")
        person = message["pid"]
        require(0 < len(person["n"]) <= 39, "n has not 1 to 39 characters")
        require("dob" in person or "i" in person, "neither dob nor i")
        for vaccine in message["ve"]:
            require({"des", "nam", "vd"} <= set(vaccine), "a vaccine without des, nam or vd")
            for dose in vaccine["vd"]:
                require({"dvc", "seq", "ctr", "adm", "lot"} <= set(dose), "an incomplete dose")
                require(re.fullmatch(r"\d{4}-\d\d-\d\d", dose["dvc"]), "dvc is not a day")
                require(re.fullmatch(r"[A-Z]{3}", dose["ctr"]), "ctr has not three letters")


def base64url(text):
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
