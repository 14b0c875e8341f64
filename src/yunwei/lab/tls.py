"""A certificate of its own for every device, made when first asked for and the same after a restart.

Identity is pinned at first contact, so two devices must never show one certificate, and a farm that is started again
must show the same ones: key, serial number and signature (RFC 6979) follow from the farm's seed and the address.
Lab keys protect nothing.
"""

from __future__ import annotations

import os
import ssl
from collections import OrderedDict
from datetime import UTC, datetime
from ipaddress import IPv4Address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from yunwei.lab.spec import derive

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # SEC 2 §2.4.2
VALID = (datetime(2024, 1, 1, tzinfo=UTC), datetime(2049, 12, 31, tzinfo=UTC))  # fixed: the same bytes every start


def certificate_pem(seed: str, address: str, generation: int = 0) -> bytes:
    """Certificate and key (PEM) of the device at `address`; another `generation` is another identity."""
    material = derive(seed, "tls", address, generation, size=48)
    key = ec.derive_private_key(int.from_bytes(material[:40]) % (P256_ORDER - 1) + 1, ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"bmc-{address}")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(material[40:]) | 1)
        .not_valid_before(VALID[0])
        .not_valid_after(VALID[1])
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    certificate = builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    return certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def server_context(pem: bytes) -> ssl.SSLContext:
    """A server context from certificate and key in memory (the ssl module only loads files: an anonymous one)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.num_tickets = 0  # nobody resumes; tickets cost two messages per handshake
    handle = os.memfd_create("lab-tls")
    try:
        os.write(handle, pem)
        context.load_cert_chain(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)
    return context


class Contexts:
    """Server contexts by address, the most recent `keep` of them: 21 KB each, and reading a key costs what two handshakes do,
    which no BMC pays at every connection."""

    def __init__(self, seed: str, keep: int = 6000) -> None:
        self._seed = seed
        self._keep = keep
        self._contexts: OrderedDict[tuple[str, int], ssl.SSLContext] = OrderedDict()

    def get(self, address: str, generation: int = 0) -> ssl.SSLContext:
        """The context of a device, made on first use (some 2 ms) and again after it was dropped."""
        key = (address, generation)
        context = self._contexts.get(key)
        if context is None:
            context = server_context(certificate_pem(self._seed, address, generation))
            self._contexts[key] = context
            if len(self._contexts) > self._keep:
                self._contexts.popitem(last=False)
        self._contexts.move_to_end(key)
        return context
