#!/usr/bin/env python3
"""Verify the signature of a DDCC document with the signer's certificate alone.

    pip install jwcrypto rfc8785
    verify_document.py document.json signer.pem

The signed content is the Bundle without `signature`, `id` and `meta`, as canonical JSON (RFC 8785).
`signature.data` is base64 of a JWS with detached payload (RFC 7515 appendix F).
Exit 0: verified, 1: not verified, 2: usage.
"""

import base64
import hashlib
import json
import sys

import rfc8785
from jwcrypto import jwk, jws
from jwcrypto.common import JWException

NOT_SIGNED = ("signature", "id", "meta")
ALGORITHMS = ["ES256", "PS256"]


def unique(pairs):
    """Refuse an object that names a property twice: readers disagree about which one counts."""
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError("an object names a property twice")
    return result


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def verify(document, pem):
    """Return the JWS header when `pem` signed `document`; raise ValueError or JWException else."""
    bundle = json.loads(document, object_pairs_hook=unique)
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "document":
        raise ValueError("this is no document Bundle")
    if "data" not in bundle.get("signature", {}):
        raise ValueError("the document has no signature")
    compact = base64.b64decode(bundle["signature"]["data"], validate=True).decode("ascii")
    header, payload, signature = compact.split(".")
    if payload:
        raise ValueError("the payload is not detached")
    content = {name: value for name, value in bundle.items() if name not in NOT_SIGNED}
    payload = base64url(rfc8785.dumps(content))

    token = jws.JWS()
    token.allowed_algs = ALGORITHMS
    token.deserialize(f"{header}.{payload}.{signature}")
    token.verify(jwk.JWK.from_pem(pem))

    der = base64.b64decode("".join(pem.decode("ascii").split("-----")[2].split()))
    digest = hashlib.sha256(der).digest()
    found = token.jose_header
    if found.get("kid") != base64.b64encode(digest[:8]).decode("ascii"):
        raise ValueError("kid is not that of the certificate")
    if found.get("x5t#S256") != base64url(digest):
        raise ValueError("x5t#S256 is not that of the certificate")
    return found


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        with open(sys.argv[1], "rb") as document, open(sys.argv[2], "rb") as pem:
            header = verify(document.read(), pem.read())
    except OSError as error:
        print(error, file=sys.stderr)
        return 2
    except (ValueError, JWException) as error:
        print(f"not verified: {error}", file=sys.stderr)
        return 1
    print(f"verified: {header['alg']}, kid {header['kid']}, iat {header['iat']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
