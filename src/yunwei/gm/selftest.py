"""Known answers from the standards, checked once in each process before anything is signed.

Sources: GB/T 32905-2016 annex A (SM3), GB/T 32907-2016 annex A (SM4), GB/T 32918.5-2017 annexes A and C (SM2 on the
recommended curve: signature over "message digest", ciphertext of "encryption standard").
"""

from __future__ import annotations

from functools import lru_cache

from yunwei.gm import sm3, sm4
from yunwei.gm.errors import GmError
from yunwei.kernel.i18n import _

SM3_VECTORS: list[tuple[bytes, str]] = [
    (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
    (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
]
SM4_KEY = bytes.fromhex("0123456789abcdeffedcba9876543210")
SM4_CIPHER = bytes.fromhex("681edf34d206965e86b3e94f536e4246")
SM2_D = bytes.fromhex("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8")
SM2_POINT = bytes.fromhex(
    "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
SM2_MESSAGE = b"message digest"
SM2_SIGNATURE = bytes.fromhex(
    "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
    "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
)
SM2_PLAIN = b"encryption standard"
SM2_C1 = bytes.fromhex(
    "04ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73"
    "e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0"
)
SM2_C3 = bytes.fromhex("59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766")
SM2_C2 = bytes.fromhex("21886ca989ca9c7d58087307ca93092d651efa")


def failures() -> list[str]:
    """The names of the known answers that this machine gets wrong; empty when all is well."""
    from yunwei.gm import sm2  # sm2 itself asks for `require` before it signs

    bad: list[str] = []
    for data, want in SM3_VECTORS:
        if sm3.hexdigest(data) != want or sm3.PureSm3(data).hexdigest() != want:
            bad.append("SM3")
    if sm4.encrypt_block(SM4_KEY, SM4_KEY) != SM4_CIPHER:
        bad.append("SM4")
    public = sm2.PublicKey.from_point(SM2_POINT)
    if not public.verify(SM2_MESSAGE, SM2_SIGNATURE):
        bad.append("SM2 verify")
    if public.verify(SM2_MESSAGE + b"!", SM2_SIGNATURE):
        bad.append("SM2 verify accepts a forgery")
    private = sm2.PrivateKey.from_number(SM2_D, SM2_POINT)
    if private.decrypt(sm2.ciphertext_to_der(SM2_C1, SM2_C3, SM2_C2)) != SM2_PLAIN:
        bad.append("SM2 decrypt")
    if not public.verify(b"yunwei", private._sign(b"yunwei", sm2.DEFAULT_ID)):  # noqa: SLF001 - before `sign` is open
        bad.append("SM2 sign")
    return bad


@lru_cache(maxsize=1)
def _result() -> tuple[str, ...]:
    return tuple(failures())


def require() -> None:
    """Return when the known answers were right in this process. Raises GmError otherwise: nothing is signed then."""
    if bad := _result():
        raise GmError(_("国密算法自检未通过，拒绝签名"), where=", ".join(bad), hint=_("请检查系统的 libcrypto"))
