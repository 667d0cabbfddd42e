"""A document signing certificate (DSC)."""

import hashlib
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID


class Signer:
    def __init__(self, certificate):
        self.certificate = certificate

    @classmethod
    def from_pem(cls, pem):
        return cls(x509.load_pem_x509_certificate(pem))

    @classmethod
    def from_der(cls, der):
        return cls(x509.load_der_x509_certificate(der))

    @property
    def key(self):
        return self.certificate.public_key()

    @cached_property
    def der(self):
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @cached_property
    def key_pem(self):
        return self.key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def kid(self):
        return hashlib.sha256(self.der).digest()[:8]

    @property
    def country(self):
        return self.certificate.subject.get_attributes_for_oid(NameOID.COUNTRY_NAME)[0].value

    @property
    def starts(self):
        return self.certificate.not_valid_before_utc

    @property
    def ends(self):
        return self.certificate.not_valid_after_utc

    @property
    def usages(self):
        """Extended key usages, as dotted OIDs."""
        try:
            extension = self.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        except x509.ExtensionNotFound:
            return set()
        except ValueError:
            # An extension without any usage, which is not valid ASN.1, limits nothing.
            return set()
        return {usage.dotted_string for usage in extension.value}
