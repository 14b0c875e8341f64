"""The system's libcrypto (OpenSSL ≥ 3.0), bound by ctypes: only the calls that SM2 needs.

The *system* library on purpose: pyca bundles a hidden OpenSSL without SM2 in its interface. Every call has its argument
and result types, or ctypes would cut pointers to 32 bits. Nothing here is shared between threads except the
library handle; calls release the GIL.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from ctypes import POINTER, c_char_p, c_int, c_long, c_size_t, c_ulong, c_void_p
from functools import lru_cache
from typing import Any

from yunwei.gm.errors import GmError
from yunwei.kernel.i18n import _

_INT, _PTR, _SIZE, _STR = c_int, c_void_p, c_size_t, c_char_p
_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "OpenSSL_version_num": (c_ulong, ()),
    "OpenSSL_version": (_STR, (_INT,)),
    "CRYPTO_free": (None, (_PTR, _STR, _INT)),
    "ERR_get_error": (c_ulong, ()),
    "ERR_error_string_n": (None, (c_ulong, _STR, _SIZE)),
    "EVP_PKEY_CTX_new_from_name": (_PTR, (_PTR, _STR, _STR)),
    "EVP_PKEY_CTX_new": (_PTR, (_PTR, _PTR)),
    "EVP_PKEY_CTX_free": (None, (_PTR,)),
    "EVP_PKEY_CTX_set1_id": (_INT, (_PTR, _STR, _INT)),
    "EVP_PKEY_keygen_init": (_INT, (_PTR,)),
    "EVP_PKEY_generate": (_INT, (_PTR, POINTER(_PTR))),
    "EVP_PKEY_free": (None, (_PTR,)),
    "EVP_PKEY_is_a": (_INT, (_PTR, _STR)),
    "EVP_PKEY_encrypt_init": (_INT, (_PTR,)),
    "EVP_PKEY_encrypt": (_INT, (_PTR, _PTR, POINTER(_SIZE), _STR, _SIZE)),
    "EVP_PKEY_decrypt_init": (_INT, (_PTR,)),
    "EVP_PKEY_decrypt": (_INT, (_PTR, _PTR, POINTER(_SIZE), _STR, _SIZE)),
    "EVP_MD_CTX_new": (_PTR, ()),
    "EVP_MD_CTX_free": (None, (_PTR,)),
    "EVP_MD_CTX_set_pkey_ctx": (None, (_PTR, _PTR)),
    "EVP_sm3": (_PTR, ()),
    "EVP_sm4_cbc": (_PTR, ()),
    "EVP_DigestSignInit": (_INT, (_PTR, _PTR, _PTR, _PTR, _PTR)),
    "EVP_DigestSign": (_INT, (_PTR, _PTR, POINTER(_SIZE), _STR, _SIZE)),
    "EVP_DigestVerifyInit": (_INT, (_PTR, _PTR, _PTR, _PTR, _PTR)),
    "EVP_DigestVerify": (_INT, (_PTR, _STR, _SIZE, _STR, _SIZE)),
    "d2i_PUBKEY": (_PTR, (_PTR, POINTER(_STR), c_long)),
    "i2d_PUBKEY": (_INT, (_PTR, POINTER(_PTR))),
    "d2i_AutoPrivateKey": (_PTR, (_PTR, POINTER(_STR), c_long)),
    "EVP_PKEY2PKCS8": (_PTR, (_PTR,)),
    "PKCS8_PRIV_KEY_INFO_free": (None, (_PTR,)),
    "PKCS8_encrypt": (_PTR, (_INT, _PTR, _STR, _INT, _PTR, _INT, _INT, _PTR)),
    "X509_SIG_free": (None, (_PTR,)),
    "BIO_new": (_PTR, (_PTR,)),
    "BIO_s_mem": (_PTR, ()),
    "BIO_new_mem_buf": (_PTR, (_STR, _INT)),
    "BIO_read": (_INT, (_PTR, _PTR, _INT)),
    "BIO_free": (_INT, (_PTR,)),
    "PEM_write_bio_PKCS8": (_INT, (_PTR, _PTR)),
    "PEM_write_bio_PKCS8_PRIV_KEY_INFO": (_INT, (_PTR, _PTR)),
    "PEM_read_bio_PrivateKey": (_PTR, (_PTR, _PTR, _PTR, _STR)),
    "PEM_read_bio_PUBKEY": (_PTR, (_PTR, _PTR, _PTR, _STR)),
    "PEM_write_bio_PUBKEY": (_INT, (_PTR, _PTR)),
}


@lru_cache(maxsize=1)
def lib() -> ctypes.CDLL:
    """The loaded library. Raises GmError when there is none, or it is older than 3.0 and has no usable SM2."""
    names = [n for n in (os.environ.get("YUNWEI_LIBCRYPTO"), "libcrypto.so.3", "libcrypto.so.4") if n]
    for name in names:
        try:
            return _bind(ctypes.CDLL(name))
        except OSError:
            continue
    found = ctypes.util.find_library("crypto")
    if found is None:
        raise GmError(_("找不到系统的 libcrypto"), hint=_("请安装 OpenSSL 3（Debian：libssl3）"))
    return _bind(ctypes.CDLL(found))


def _bind(library: ctypes.CDLL) -> ctypes.CDLL:
    for name, (result, arguments) in _SIGNATURES.items():
        try:
            function = getattr(library, name)
        except AttributeError:
            raise GmError(_("系统的 libcrypto 不是 OpenSSL 3"), where=name, hint=_("需要 3.0 或更高版本")) from None
        function.restype, function.argtypes = result, arguments
    if library.OpenSSL_version_num() < 0x30000000:
        raise GmError(_("系统的 libcrypto 低于 3.0"), hint=version(library))
    return library


def version(library: ctypes.CDLL | None = None) -> str:
    """The library's own name and version, shown by `yunwei doctor`."""
    text: bytes = (library or lib()).OpenSSL_version(0)
    return text.decode("ascii", "replace")


def fail(message: str) -> GmError:
    """The error to raise after a failed call, with libcrypto's last reason; drains the thread's error queue."""
    reason, buffer = "", ctypes.create_string_buffer(256)
    while code := lib().ERR_get_error():
        lib().ERR_error_string_n(code, buffer, len(buffer))
        reason = buffer.value.decode("ascii", "replace")
    return GmError(message, hint=reason)


def drain() -> None:
    """Empty the thread's error queue after a refusal that is an answer and no error."""
    while lib().ERR_get_error():
        pass
