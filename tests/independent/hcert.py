"""HCERT: HC1: + base45 of zlib of a COSE_Sign1 around a CWT, verified with `cwt` and `base45`."""

import unicodedata
import zlib
from datetime import datetime, timezone

import base45
import cbor2
import cwt
from cryptography.hazmat.primitives.asymmetric import ec

ISS, EXP, IAT, HCERT = 1, 4, 6, -260
EU_DCC, DDCC_VS, DDCC_TR = 1, 3, 4
# Extended key usages. Early certificates had a further 0 in them.
KEY_USAGES = {
    usage: kind
    for kind, number in {"t": 1, "v": 2, "r": 3}.items()
    for usage in (f"1.3.6.1.4.1.1847.2021.1.{number}", f"1.3.6.1.4.1.0.1847.2021.1.{number}")
}


class Refused(ValueError):
    """The code is not what its signer signed, or not as the specification asks."""


def require(condition, message):
    if not condition:
        raise Refused(message)


def unpack(text):
    """The COSE structure in a QR code's text. Every bit of the text must count."""
    require(text.startswith("HC1:"), "the prefix is not HC1:")
    compressed = base45.b45decode(text.removeprefix("HC1:"))
    decompressor = zlib.decompressobj()
    # No certificate in a QR code has more than a few kilobytes.
    data = decompressor.decompress(compressed, 1 << 16)
    require(decompressor.eof, "the zlib stream does not end")
    require(not decompressor.unused_data, "bytes follow the zlib stream")
    return data


def pack(cose):
    return "HC1:" + base45.b45encode(zlib.compress(cose, 9)).decode("ascii")


def cose_key(signer):
    """The certificate's key for `cwt`, under its HCERT key id."""
    algorithm = "ES256" if isinstance(signer.key, ec.EllipticCurvePublicKey) else "PS256"
    return cwt.COSEKey.from_pem(signer.key_pem, kid=signer.kid, alg=algorithm)


def verify(text, signer, now=None):
    """The claims of a code that `signer` signed. With `now`, a datetime, it must be valid then."""
    data = unpack(text)
    message = cbor2.loads(data)
    if isinstance(message, cbor2.CBORTag) and message.tag == 61:
        message = message.value
    payload = cwt.COSE.new(verify_kid=True).decode(message, cose_key(signer))
    claims = cbor2.loads(payload)

    issued, expires = (moment(claims, claim) for claim in (IAT, EXP))
    require(issued >= signer.starts, "iat is before the signer's certificate starts")
    require(expires <= signer.ends, "exp is after the signer's certificate ends")
    if now is not None:
        require(issued <= now < expires, "not valid at that time")
    permitted = {KEY_USAGES[usage] for usage in signer.usages & set(KEY_USAGES)}
    kind = event(claims)
    require(not permitted or kind in permitted, "not a key for such certificates")
    return claims


def event(claims):
    """`v`, `t` or `r`: what kind of event is certified."""
    sub_claims = claims[HCERT]
    if DDCC_VS in sub_claims:
        return "v"
    if DDCC_TR in sub_claims:
        return "t"
    require(isinstance(sub_claims[EU_DCC], dict), "the EU certificate is not a map")
    kinds = {"v", "t", "r"} & set(sub_claims[EU_DCC])
    require(len(kinds) == 1, "not exactly one of v, t and r")
    return kinds.pop()


def protected_header(text):
    message = cbor2.loads(unpack(text))
    require(isinstance(message, cbor2.CBORTag) and message.tag == 18, "CBOR tag is not 18")
    return cbor2.loads(message.value[0]), message.value[1]


def is_nfc(value):
    """Whether every text in the value is in Unicode normalization form C."""
    if isinstance(value, str):
        return unicodedata.is_normalized("NFC", value)
    if isinstance(value, dict):
        return all(is_nfc(key) and is_nfc(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(is_nfc, value))
    return True


def moment(claims, claim):
    seconds = claims[claim]
    require(isinstance(seconds, int), f"claim {claim} is not in whole seconds")
    return datetime.fromtimestamp(seconds, timezone.utc)
