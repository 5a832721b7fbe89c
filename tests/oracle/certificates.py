"""A certificate authority that lives as long as one run, so that any host can be impersonated on loopback."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_LIFETIME = datetime.timedelta(days=1)


class CertificateAuthority:
    """Writes ``ca.pem`` into ``folder`` and makes a server context for each host when it is first asked for."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "valetkey oracle")])
        self._contexts: dict[str, ssl.SSLContext] = {}
        certificate = self._certificate(self._name, x509.BasicConstraints(ca=True, path_length=0), [])
        self.path = folder / "ca.pem"
        self.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def context_for(self, host: str) -> ssl.SSLContext:
        if host not in self._contexts:
            self._contexts[host] = self._make_context(host)
        return self._contexts[host]

    def issue(self, host: str) -> Path:
        """A file with the certificate for a host name or address, and its key."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        names = x509.SubjectAlternativeName([_general_name(host)])
        leaf = self._certificate(subject, x509.BasicConstraints(ca=False, path_length=None), [names])
        file = self._folder / f"{host}.pem"
        file.write_bytes(leaf.public_bytes(serialization.Encoding.PEM) + self._private_pem())
        return file

    def _make_context(self, host: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.issue(host))
        return context

    def _certificate(self, subject, constraints, extensions) -> x509.Certificate:
        """The leaves share the authority's key: nothing here is secret, and one key is quicker than many."""
        now = datetime.datetime.now(datetime.timezone.utc)
        public_key = self._key.public_key()
        identifier = x509.SubjectKeyIdentifier.from_public_key(public_key)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _LIFETIME)
            .not_valid_after(now + _LIFETIME)
            .add_extension(constraints, critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public_key), critical=False)
        )
        if constraints.ca:
            builder = builder.add_extension(identifier, critical=False)
            builder = builder.add_extension(_signing_only(), critical=True)
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def _private_pem(self) -> bytes:
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _signing_only() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False)
