"""Everything that can go wrong in SNMP, as one small family.

`SnmpError` is the only base that leaves this library: a datagram of any content raises one of these and nothing else
(no IndexError, no hang). `where` names the device ("192.0.2.1:161"), never a community or a password.
The names are the API that the rooms agreed on, hence the N818 marks.
"""

from __future__ import annotations

from yunwei.kernel.errors import YunweiError


class SnmpError(YunweiError):
    """Base of all SNMP errors."""


class SnmpGarbage(SnmpError):  # noqa: N818
    """An answer that is not SNMP, is cut off, or contradicts what was asked."""


class SnmpTimeout(SnmpError):  # noqa: N818
    """No answer within timeout x (1 + retries)."""


class SnmpAuthError(SnmpError):
    """The device refused the credential, or its answer is not signed with it (RFC 3414 §3.2)."""


class SnmpTooBig(SnmpError):  # noqa: N818
    """The device cannot put even the smallest question's answer into one message (error-status 1)."""


class SnmpStatus(SnmpError):  # noqa: N818
    """The device answered with another error-status; `status` and `index` as in RFC 3416 §3."""

    def __init__(self, message: str, *, status: int, index: int, where: str = "", hint: str = "") -> None:
        super().__init__(message, where=where, hint=hint)
        self.status = status
        self.index = index
