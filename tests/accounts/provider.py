"""A real OpenID provider (django-oauth-toolkit) as a process of its own on loopback, for `test_oidc.py`.

    python provider.py FOLDER CLIENT_ID CLIENT_SECRET REDIRECT_URI USER PASSWORD

It prints its issuer when it listens, and ends when its standard input ends.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server


def main() -> None:
    folder, client, secret, redirect, user, password = sys.argv[1:]
    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # loopback has no TLS

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = make_server("127.0.0.1", 0, lambda _e, _s: [], handler_class=Quiet)
    issuer = f"http://127.0.0.1:{server.server_port}/o"
    _configure(folder, issuer)
    _fill(client, secret, redirect, user, password)
    from django.core.wsgi import get_wsgi_application

    server.set_app(get_wsgi_application())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(issuer + "\n")
    sys.stdout.flush()
    sys.stdin.read()


def _configure(folder: str, issuer: str) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from django.conf import settings

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    page = (
        '<form method="post">{% csrf_token %}{{ form.as_p }}<input type="hidden" name="next" value="{{ next }}"></form>'
    )
    settings.configure(
        SECRET_KEY="provider", ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF=__name__, USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{folder}/provider.sqlite3"}},
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "oauth2_provider"],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        SESSION_COOKIE_NAME="provider", CSRF_COOKIE_NAME="provider_csrf", LOGIN_URL="/login",
        TEMPLATES=[{
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", {"registration/login.html": page})]},
        }],
        OAUTH2_PROVIDER={
            "OIDC_ENABLED": True, "OIDC_RSA_PRIVATE_KEY": pem, "OIDC_ISS_ENDPOINT": issuer, "PKCE_REQUIRED": True,
            "SCOPES": {"openid": "who", "profile": "name"}, "OAUTH2_VALIDATOR_CLASS": f"{__name__}.Validator",
        },
    )  # fmt: skip
    import django

    django.setup()


def _fill(client: str, secret: str, redirect: str, user: str, password: str) -> None:
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from oauth2_provider.models import Application

    call_command("migrate", verbosity=0)
    User.objects.create_user(user, password=password)
    Application.objects.create(
        client_id=client, client_secret=secret, redirect_uris=redirect, client_type="confidential",
        authorization_grant_type="authorization-code", algorithm="RS256", skip_authorization=True, name="yunwei",
    )  # fmt: skip


def __getattr__(name: str) -> Any:
    """What Django looks for here by name; made late, because the toolkit needs the settings."""
    if name == "urlpatterns":
        from django.contrib.auth.views import LoginView
        from django.urls import include, path

        return [path("login", LoginView.as_view()), path("o/", include("oauth2_provider.urls"))]
    if name == "Validator":
        from oauth2_provider.oauth2_validators import OAuth2Validator

        class Validator(OAuth2Validator):
            def get_additional_claims(self, request: Any) -> dict[str, str]:
                return {"preferred_username": request.user.get_username()}

        return Validator
    raise AttributeError(name)


if __name__ == "__main__":
    main()
