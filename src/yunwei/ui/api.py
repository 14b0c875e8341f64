"""What every API route stands on: tokens with scopes, keyset pages, problem+json, NDJSON.

An area's `web/api.py` holds a `router`; `server/urls.py` finds them. A token is a key of one account: it can do at most
what the account's role may do and at most what its scopes say, and it ends. No cookie counts here, so there is no CSRF.
Errors are RFC 9457 problem+json. Lists are keyset pages: pass `next` back as `after`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext as _
from ninja import Field, NinjaAPI, Schema
from ninja import Path as PathParam
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.security import HttpBearer
from pydantic import ValidationInfo, model_validator

from yunwei.accounts import tokens
from yunwei.accounts.models import Account
from yunwei.kernel.errors import YunweiError
from yunwei.ui import listing
from yunwei.ui.context import now
from yunwei.ui.pages import Roles

VERSION = "1"
MAX_LIMIT = 200
Row = TypeVar("Row")


class Problem(Schema):
    """RFC 9457: what went wrong, in words, at which address."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    instance: str = ""
    errors: list[dict[str, Any]] = Field(default_factory=list)


class PageOf(Schema, Generic[Row]):
    """One page of a list; `next` is the cursor to pass as `after`, null on the last page."""

    items: list[Row]
    next: str | None = None


class Asked(Schema):
    """The query of a list. A parameter that there is not is refused: a misspelt filter would show everything as if filtered."""

    @model_validator(mode="before")
    @classmethod
    def _known(cls, data: Any, info: ValidationInfo) -> Any:
        request = (info.context or {}).get("request")
        unknown = sorted(set(request.GET) - set(cls.model_fields)) if request is not None else []
        if unknown:
            raise ValueError(_("没有这个参数：{name}").format(name=unknown[0][:60]))
        return data


class Needs(HttpBearer):
    """The gate of one operation: a live token with this scope, of an account whose role may.

    Every operation names its gate; a test walks them all. The schema in OpenAPI is named after the scope.
    """

    def __init__(self, scope: tokens.Scope, may: Roles) -> None:
        super().__init__()
        self.scope, self.may = scope, may

    def authenticate(self, request: HttpRequest, token: str) -> Account | None:
        found = tokens.check(token, now())
        if found is None:
            return None
        if self.scope not in found.scopes or found.account.role not in self.may:
            raise PermissionDenied
        request.user = found.account
        return found.account


def account_of(request: HttpRequest) -> Account:
    """The account behind the token."""
    if not isinstance(request.user, Account):
        raise PermissionDenied
    return request.user


def keyset(
    rows: QuerySet[Any], order: Sequence[str], after: str, limit: int, attach: Callable[[list[Any]], None] | None = None
) -> dict[str, Any]:
    """One page of rows in `order` (which ends in a unique field); `limit` rows and one more to know whether it goes on."""
    rows = rows.order_by(*order)
    if after:
        rows = listing.after(rows, order, after)
    found = list(rows[: limit + 1])
    more, found = len(found) > limit, found[:limit]
    if attach is not None:
        attach(found)
    return {"items": found, "next": listing.cursor_of(order, found[-1]) if more else None}


Limit = Field(50, ge=1, le=MAX_LIMIT, description="rows on a page")
After = Field("", max_length=2000, pattern=r"^[A-Za-z0-9_-]*$", description="cursor: `next` of the page before")


def ndjson(rows: Iterable[Any], name: str) -> StreamingHttpResponse:
    """One JSON value a line, streamed: a year fits without a page of it in memory."""
    encoder = msgspec.json.Encoder()

    def lines() -> Iterator[bytes]:
        for row in rows:
            yield encoder.encode(row) + b"\n"

    response = StreamingHttpResponse(lines(), content_type="application/x-ndjson")
    response["Content-Disposition"] = f'attachment; filename="{name}.ndjson"'
    return response


def problem(request: HttpRequest, status: int, detail: str = "", **more: Any) -> HttpResponse:
    """An error as problem+json."""
    said = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": request.path,
        **more,
    }
    response = HttpResponse(msgspec.json.encode(said), content_type="application/problem+json", status=status)
    if status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    return response


#: text that a database can hold (PostgreSQL has no NUL)
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
#: a number that a primary key can be
Id = Annotated[int, PathParam(ge=1, le=2**63 - 1)]
Code = Annotated[Text, PathParam(min_length=1, max_length=200)]


class Api(NinjaAPI):
    """Says in its OpenAPI what all operations share: errors are problem+json, and a stream is NDJSON."""

    def get_openapi_schema(self, **named: Any) -> Any:
        schema = super().get_openapi_schema(**named)
        parts = schema.setdefault("components", {}).setdefault("schemas", {})
        parts["Problem"] = Problem.model_json_schema()
        wrong = {"$ref": "#/components/schemas/Problem"}
        for operations in schema["paths"].values():
            for operation in operations.values():
                told = operation["responses"]
                told["default"] = {
                    "description": "problem (RFC 9457)",
                    "content": {"application/problem+json": {"schema": wrong}},
                }
                if not told.get(200, {}).get("content") and 201 not in told:
                    told[200] = {"description": "OK", "content": {"application/x-ndjson": {"schema": {}}}}
        return schema


def make() -> Api:
    """An API without its routers."""
    api = Api(
        title="云维 API",
        version=VERSION,
        description=_("凭令牌访问：Authorization: Bearer …。列表按游标翻页；错误为 problem+json。"),
        docs_url=None,  # our own page shows it: /api/docs
        openapi_url="/openapi.json",
        urls_namespace="api",
    )

    @api.exception_handler(AuthenticationError)
    def _who(request: HttpRequest, _error: AuthenticationError) -> HttpResponse:
        return problem(request, 401, _("缺少令牌，或令牌无效、已过期、已吊销"))

    @api.exception_handler(PermissionDenied)
    def _denied(request: HttpRequest, _error: PermissionDenied) -> HttpResponse:
        return problem(request, 403, _("令牌的范围或账号的角色不允许"))

    @api.exception_handler(Http404)
    def _missing(request: HttpRequest, _error: Http404) -> HttpResponse:
        return problem(request, 404, _("没有，或不属于您的单位"))

    @api.exception_handler(ValidationError)
    def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
        errors = [{"where": list(map(str, e.get("loc", ()))), "what": str(e.get("msg", ""))} for e in error.errors]
        return problem(request, 422, _("请求的内容不成立"), errors=errors)

    @api.exception_handler(HttpError)
    def _http(request: HttpRequest, error: HttpError) -> HttpResponse:
        return problem(request, error.status_code, str(error))

    @api.exception_handler(YunweiError)
    def _ours(request: HttpRequest, error: YunweiError) -> HttpResponse:
        return problem(request, 409, str(error))

    return api


#: the API of this instance; the door adds each area's router (server/urls.py)
API = make()
