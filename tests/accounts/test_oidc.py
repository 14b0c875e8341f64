"""OpenID Connect against a real provider: who it vouches for comes in if the account is here and awake, and by no trick."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pyotp
import pytest
import requests
from django.test import Client
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from tests.accounts.conftest import NOW, Wall
from yunwei.accounts import oidc, totp
from yunwei.accounts.errors import AccountError
from yunwei.accounts.models import Account
from yunwei.ledger.models import Intake

pytestmark = pytest.mark.django_db
People = dict[str, Account]
BACK = "http://testserver/login/oidc/back"
PASSWORD = "at-the-provider-1"


@dataclass(frozen=True)
class Running:
    """The provider as it runs."""

    issuer: str
    user: str = "a_manager"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("provider")
    words = [
        sys.executable,
        str(Path(__file__).with_name("provider.py")),
        str(folder),
        "yunwei",
        "s3cret",
        BACK,
        "a_manager",
        PASSWORD,
    ]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdin
        issuer = process.stdout.readline().strip()
        assert issuer, "the provider did not start"
        yield Running(issuer)
        process.stdin.close()
        process.wait(10)


@pytest.fixture
def provider(running: Running, people: People, settings: Any, tmp_path: Path) -> oidc.Provider:
    """Our side of it, configured as a site does."""
    secret = tmp_path / "oidc.secret"
    secret.write_text("s3cret\n")
    secret.chmod(0o600)
    table = {"issuer": running.issuer, "client_id": "yunwei", "client_secret_file": str(secret), "title": "市统一认证"}
    settings.YUNWEI = settings.YUNWEI | {"accounts": {"oidc": table}}
    oidc._fetch.cache_clear()
    told = oidc.provider()
    assert told
    return told


def vouch(url: str, user: str = "a_manager") -> str:
    """Be the person's browser at the provider: log in there, and give the address that it sends one back to."""
    browser = requests.Session()
    page = browser.get(url, timeout=10)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    target = parse_qs(urlsplit(page.url).query).get("next", [""])[0]
    if token:
        form = {"username": user, "password": PASSWORD, "csrfmiddlewaretoken": token[1], "next": target}
        answer = browser.post(page.url, data=form, timeout=10, allow_redirects=False)
        page = browser.get(f"{urlsplit(url)._replace(path='', query='').geturl()}{answer.headers['Location']}", timeout=10,
                           allow_redirects=False)  # fmt: skip
    return page.headers["Location"]


def begin(client: Client, **query: str) -> str:
    response = client.get("/login/oidc", query)
    assert response.status_code == 302
    return str(response["Location"])


def back(client: Client, address: str) -> Any:
    parts = urlsplit(address)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == BACK
    return client.get(f"{parts.path}?{parts.query}")


def text(response: Any) -> str:
    return str(response.content.decode())


def test_who_is_vouched_for_comes_in_and_the_login_page_offers_it(
    client: Client, provider: oidc.Provider, clock: Wall
) -> None:
    assert "用市统一认证登录" in text(client.get("/login?next=/people"))
    url = begin(client, next="/people")
    sent = {k: v[0] for k, v in parse_qs(urlsplit(url).query).items()}
    assert sent["code_challenge_method"] == "S256"
    assert {"state", "nonce", "code_challenge"} <= set(sent)
    before = client.cookies["sessionid"].value
    response = back(client, vouch(url))
    assert response["Location"] == "/people"
    assert client.cookies["sessionid"].value != before
    assert client.get("/people").status_code == 200
    record = Intake.objects.get(kind="accounts.login")
    assert record.actor == "a_manager"
    assert '"how":"oidc"' in bytes(record.body).decode()


def test_nobody_is_made_woken_or_given_a_role(client: Client, provider: oidc.Provider) -> None:
    Account.objects.filter(username="a_manager").update(is_active=False)
    assert back(client, vouch(begin(client))).status_code == 403
    Account.objects.filter(username="a_manager").update(is_active=True, username="other")
    before = list(Account.objects.order_by("pk").values())
    response = back(client, vouch(begin(client)))
    assert response.status_code == 403
    assert "没有对应的" in text(response)
    assert list(Account.objects.order_by("pk").values()) == before
    assert client.get("/people").status_code == 302


def test_the_second_factor_is_asked_for_here_too(
    client: Client, provider: oidc.Provider, people: People, clock: Wall
) -> None:
    seed = totp.propose(people["a_manager"])
    totp.confirm(people["a_manager"], pyotp.TOTP(seed).at(clock()), wall=clock(), now=NOW)
    assert back(client, vouch(begin(client)))["Location"] == "/login/code"
    assert client.get("/people").status_code == 302
    clock.on(seconds=30)
    assert client.post("/login/code", {"code": pyotp.TOTP(seed).at(clock())}).status_code == 302
    assert client.get("/people").status_code == 200


def test_an_answer_that_this_browser_did_not_ask_for_is_refused(client: Client, provider: oidc.Provider) -> None:
    """Login CSRF: somebody else's answer, put into this browser."""
    answer = vouch(begin(client))
    stranger = Client()
    assert back(stranger, answer)["Location"] == "/login", "it never asked"
    begin(stranger)
    response = back(stranger, answer)
    assert response.status_code == 403
    assert "不符" in text(response)
    assert stranger.get("/people").status_code == 302


def test_an_answer_counts_once(client: Client, provider: oidc.Provider) -> None:
    answer = vouch(begin(client))
    assert back(client, answer).status_code == 302
    client.post("/logout")
    assert back(client, answer)["Location"] == "/login"
    assert client.get("/people").status_code == 302


def test_a_code_without_its_verifier_is_worth_nothing(client: Client, provider: oidc.Provider) -> None:
    """PKCE: who caught the code on its way has not what this session kept. It is the provider that refuses."""
    url, kept = oidc.start(provider, BACK)
    answer = {k: v[0] for k, v in parse_qs(urlsplit(vouch(url)).query).items()}
    with pytest.raises(AccountError, match="没有给出令牌"):
        oidc.finish(provider, {**kept, "verifier": "x" * 64}, BACK, answer)


def test_a_token_for_another_login_is_refused(client: Client, provider: oidc.Provider) -> None:
    """The nonce ties the token to this browser's login."""
    url, kept = oidc.start(provider, BACK)
    answer = {k: v[0] for k, v in parse_qs(urlsplit(vouch(url)).query).items()}
    with pytest.raises(AccountError, match="不可信"):
        oidc.finish(provider, {**kept, "nonce": "another"}, BACK, answer)


def claims(provider: oidc.Provider, **other: Any) -> dict[str, Any]:
    at = int(time.time())
    said = {
        "iss": provider.issuer, "aud": "yunwei", "sub": "1", "iat": at, "exp": at + 300, "nonce": "n",
        "preferred_username": "a_manager",
    }  # fmt: skip
    return {k: v for k, v in (said | other).items() if v is not None}


@pytest.fixture
def own_keys(provider: oidc.Provider, monkeypatch: pytest.MonkeyPatch) -> RSAKey:
    """A key pair whose public half the provider is taken to publish: so that only one thing is wrong in each token."""
    key = RSAKey.generate_key(2048, {"kid": "k", "use": "sig", "alg": "RS256"})
    real = oidc._fetch

    def fetch(url: str, age: int) -> Any:
        return {"keys": [key.as_dict(private=False)]} if "jwks" in url else real(url, age)

    fetch.cache_clear = real.cache_clear  # type: ignore[attr-defined]
    monkeypatch.setattr(oidc, "_fetch", fetch)
    return key


def test_a_good_token_passes(provider: oidc.Provider, own_keys: RSAKey) -> None:
    token = jwt.encode({"alg": "RS256", "kid": "k"}, claims(provider), own_keys)
    assert oidc.checked(provider, token, nonce="n")["preferred_username"] == "a_manager"


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "http://127.0.0.1:1/o"}, {"iss": None}, {"aud": "another"}, {"aud": None}, {"exp": 1}, {"exp": None},
        {"nonce": "m"}, {"nonce": None}, {"iat": None}, {"aud": ["yunwei", "x"]}, {"aud": ["yunwei", "x"], "azp": "x"},
    ],
)  # fmt: skip
def test_one_wrong_claim_is_enough(provider: oidc.Provider, own_keys: RSAKey, wrong: dict[str, Any]) -> None:
    token = jwt.encode({"alg": "RS256", "kid": "k"}, claims(provider, **wrong), own_keys)
    with pytest.raises(AccountError, match="不可信"):
        oidc.checked(provider, token, nonce="n")


def test_a_token_that_somebody_else_signed_is_refused(provider: oidc.Provider, own_keys: RSAKey) -> None:
    other = RSAKey.generate_key(2048, {"kid": "k", "use": "sig"})
    shared = OctKey.import_key(b"s3cret" * 8, {"kid": "k"})
    for key, alg in ((other, "RS256"), (shared, "HS256")):
        token = jwt.encode({"alg": alg, "kid": "k"}, claims(provider), key)
        with pytest.raises(AccountError, match="不可信"):
            oidc.checked(provider, token, nonce="n")
    head, body, _signature = jwt.encode({"alg": "RS256", "kid": "k"}, claims(provider), own_keys).split(".")
    for token in (f"{head}.{body}.", "eyJhbGciOiJub25lIn0." + body + ".", "", "x.y.z", head):
        with pytest.raises(AccountError, match="不可信"):
            oidc.checked(provider, token, nonce="n")


def test_a_provider_that_says_no_is_told(client: Client, provider: oidc.Provider) -> None:
    state = parse_qs(urlsplit(begin(client)).query)["state"][0]
    response = client.get("/login/oidc/back?" + urlencode({"error": "access_denied<script>", "state": state}))
    assert response.status_code == 403
    assert "access_denied" in text(response)
    assert "<script>" not in text(response)


def test_a_provider_that_is_away_leaves_the_password(client: Client, provider: oidc.Provider, settings: Any) -> None:
    table = settings.YUNWEI["accounts"]["oidc"] | {"issuer": "http://127.0.0.1:9"}
    settings.YUNWEI = settings.YUNWEI | {"accounts": {"oidc": table}}
    response = client.get("/login/oidc")
    assert response.status_code == 403
    assert "没有应答" in text(response)
    assert 'name="password"' in text(response)


@pytest.mark.parametrize("issuer", ["http://id.example.gov.cn", "http://127.0.0.1.example.org", "ftp://127.0.0.1"])
def test_a_provider_without_tls_is_refused(provider: oidc.Provider, settings: Any, issuer: str) -> None:
    table = settings.YUNWEI["accounts"]["oidc"] | {"issuer": issuer}
    settings.YUNWEI = settings.YUNWEI | {"accounts": {"oidc": table}}
    with pytest.raises(AccountError, match="https"):
        oidc.provider()


def test_a_secret_that_others_may_read_is_not_used(client: Client, provider: oidc.Provider) -> None:
    provider.secret_file.chmod(0o644)
    with pytest.raises(AccountError, match="他人读取"):
        oidc.start(provider, BACK)


def test_without_settings_there_is_no_such_way(client: Client, people: People) -> None:
    assert "login/oidc" not in text(client.get("/login"))
    for path in ("/login/oidc", "/login/oidc/back"):
        assert client.get(path)["Location"] == "/login"
