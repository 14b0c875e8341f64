"""SNMPv3 credentials and the User-based Security Model."""

from __future__ import annotations

from typing import NamedTuple


class V2c(NamedTuple):
    """SNMPv2c credential."""

    community: str | bytes

    def __repr__(self) -> str:
        return "V2c(***)"  # a credential never reaches a log or a traceback (clause 8.1.1)


class V3(NamedTuple):
    """SNMPv3 USM credential.

    auth_proto: "" (noAuth) | SHA | SHA-224 | SHA-256 | SHA-384 | SHA-512;
    priv_proto: "" (noPriv) | AES | AES-256 (Blumenthal, what net-snmp calls AES-256) | AES-256-C (Reeder).
    """

    user: str
    auth_proto: str = ""
    auth_password: str = ""
    priv_proto: str = ""
    priv_password: str = ""

    def __repr__(self) -> str:
        return f"V3({self.user!r}, {self.auth_proto!r}, ***, {self.priv_proto!r}, ***)"


class EngineState(NamedTuple):
    """What is known of a device's SNMP engine; kept by the caller between sweeps (`at` = seconds of client clock)."""

    engine_id: bytes
    boots: int
    time: int
    at: float
