"""OpenID Connect as one more way in: authorization code flow with PKCE (RFC 7636), state and nonce.

The provider says who somebody is, nothing more: the account must be here, awake, with the role that this instance's
officers gave. Settings, in yunwei.toml::

    [accounts.oidc]
    issuer = "https://id.example.gov.cn"      # discovery below /.well-known/openid-configuration
    client_id = "yunwei"
    client_secret_file = "keys/oidc.secret"   # relative to the instance's folder, mode 0600
    claim = "preferred_username"              # which claim is our account name
    title = "统一身份认证"                     # what the button says

The libraries are imported where they are used: most processes of an instance never speak to a provider.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _

from yunwei.accounts.errors import AccountError

JSON = Any
DISCOVERY = "/.well-known/openid-configuration"
TIMEOUT_S = 8
#: signatures with a key that only the provider has; "none" and HMAC with the client's secret are not among them
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
#: seconds that the two clocks may differ
LEEWAY_S = 60
#: seconds that a provider's metadata and keys are believed; a key that is not among them is looked for once more
FRESH_S = 600


@dataclass(frozen=True, slots=True)
class Provider:
    """The OpenID provider of this instance."""

    issuer: str
    client_id: str
    secret_file: Path
    claim: str
    title: str


def provider() -> Provider | None:
    """The provider that yunwei.toml names, if any. Raises AccountError for a table that lacks something."""
    table = getattr(settings, "YUNWEI", {}).get("accounts", {}).get("oidc")
    if not table:
        return None
    missing = [key for key in ("issuer", "client_id", "client_secret_file") if not table.get(key)]
    if missing:
        raise AccountError(_("缺少设置：{names}").format(names="、".join(missing)), where="[accounts.oidc]")
    issuer = str(table["issuer"]).rstrip("/")
    _secure(issuer)
    root = Path(getattr(settings, "INSTANCE", None) or ".")
    return Provider(
        issuer, str(table["client_id"]), root / table["client_secret_file"],
        str(table.get("claim", "preferred_username")), str(table.get("title", _("统一身份认证"))),
    )  # fmt: skip


def start(told: Provider, back: str) -> tuple[str, dict[str, str]]:
    """Where the browser goes, and what its session must keep to come back. `back` is our own address for that."""
    kept = {
        "state": secrets.token_urlsafe(32),
        "nonce": secrets.token_urlsafe(32),
        "verifier": secrets.token_urlsafe(48),
    }
    endpoint = _endpoint(metadata(told), "authorization_endpoint")
    with _client(told, back) as client:
        url, _state = client.create_authorization_url(
            endpoint, state=kept["state"], nonce=kept["nonce"], code_verifier=kept["verifier"]
        )
    return str(url), kept


def finish(told: Provider, kept: Mapping[str, str], back: str, answer: Mapping[str, str]) -> str:
    """The account name that the provider vouches for. Raises AccountError for anything that is not as it must be."""
    if not constant_time_compare(answer.get("state", ""), kept["state"]):
        raise AccountError(_("统一认证的回应与本次登录不符"), hint=_("请从登录页重新开始"))
    if "error" in answer:
        raise AccountError(_("统一认证没有放行：{why}").format(why=answer["error"][:80]))
    if answer.get("iss", told.issuer).rstrip("/") != told.issuer:  # RFC 9207: an answer of another provider
        raise AccountError(_("统一认证的回应来自另一个认证方"))
    said = metadata(told)
    try:
        with _client(told, back) as client:
            token: Mapping[str, JSON] = client.fetch_token(
                _endpoint(said, "token_endpoint"), grant_type="authorization_code", code=answer.get("code", ""),
                code_verifier=kept["verifier"], timeout=TIMEOUT_S, allow_redirects=False,
            )  # fmt: skip
    except Exception as error:  # noqa: BLE001 - authlib raises many kinds; none of their words may show a code or secret
        raise AccountError(_("统一认证没有给出令牌"), where=told.issuer, hint=type(error).__name__) from None
    claims = checked(told, str(token.get("id_token", "")), nonce=kept["nonce"])
    name = claims.get(told.claim)
    if not isinstance(name, str) or not name:
        raise AccountError(_("统一认证的令牌里没有账号名"), where=told.claim)
    return name


def checked(told: Provider, id_token: str, *, nonce: str) -> Mapping[str, JSON]:
    """The claims of an ID token whose signature, issuer, audience, times and nonce are right (OpenID Connect Core
    3.1.3.7). Raises AccountError without saying more than which provider."""
    from joserfc import jwt
    from joserfc.errors import JoseError

    rules = jwt.JWTClaimsRegistry(
        leeway=LEEWAY_S,
        iss={"essential": True, "value": told.issuer},
        aud={"essential": True, "value": told.client_id},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": nonce},
    )
    try:
        try:
            token = jwt.decode(id_token, _keys(told), algorithms=ALGORITHMS)
        except JoseError:
            _fetch.cache_clear()  # the provider may have changed its key
            token = jwt.decode(id_token, _keys(told), algorithms=ALGORITHMS)
        claims: dict[str, JSON] = token.claims
        rules.validate(claims)
    except (JoseError, ValueError) as error:
        raise AccountError(_("统一认证的令牌不可信"), where=told.issuer, hint=type(error).__name__) from None
    audience = claims["aud"]
    if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != told.client_id:
        raise AccountError(_("统一认证的令牌不可信"), where=told.issuer, hint="azp")
    return claims


def metadata(told: Provider) -> Mapping[str, JSON]:
    """What the provider says of itself; it must speak for the issuer that was configured."""
    said = _fetch(told.issuer + DISCOVERY, int(time.time() / FRESH_S))
    if str(said.get("issuer", "")).rstrip("/") != told.issuer:
        raise AccountError(_("认证方自称的 issuer 与设置不符"), where=told.issuer)
    return said


def _keys(told: Provider) -> Any:
    from joserfc.jwk import KeySet

    said = _fetch(_endpoint(metadata(told), "jwks_uri"), int(time.time() / FRESH_S))
    return KeySet.import_key_set({"keys": list(said.get("keys", []))})


def _endpoint(said: Mapping[str, JSON], name: str) -> str:
    url = str(said.get(name, ""))
    _secure(url)
    return url


def _secure(url: str) -> None:
    """TLS, or a provider on this very machine. Raises AccountError."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")):
        raise AccountError(_("统一认证的地址必须是 https"), where=url[:200])


@lru_cache(maxsize=8)
def _fetch(url: str, _age: int) -> Mapping[str, JSON]:
    import requests

    try:
        answer = requests.get(url, timeout=TIMEOUT_S, allow_redirects=False)
        answer.raise_for_status()
        said = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise AccountError(_("统一认证服务没有应答"), where=url, hint=type(error).__name__) from None
    if not isinstance(said, dict):
        raise AccountError(_("统一认证服务没有应答"), where=url, hint="JSON")
    return said


def _client(told: Provider, back: str) -> Any:
    from authlib.integrations.requests_client import OAuth2Session

    try:
        if told.secret_file.stat().st_mode & 0o077:
            hint = f"chmod 600 {told.secret_file}"
            raise AccountError(_("统一认证的密钥文件可被他人读取"), where=str(told.secret_file), hint=hint)
        secret = told.secret_file.read_text(encoding="utf-8").strip()
    except OSError:
        raise AccountError(_("找不到统一认证的密钥文件"), where=str(told.secret_file)) from None
    return OAuth2Session(
        told.client_id, secret, redirect_uri=back, scope="openid profile", code_challenge_method="S256",
        token_endpoint_auth_method="client_secret_basic",  # noqa: S106 - the name of a method
    )  # fmt: skip
