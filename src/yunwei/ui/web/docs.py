"""The API's documentation in our own frame: what its OpenAPI says, without a script from anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from yunwei.accounts.models import Role
from yunwei.ui.api import API, Needs
from yunwei.ui.context import page


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as the page tells it."""

    method: str
    path: str
    summary: str
    text: str
    scope: str
    roles: list[Any]
    parameters: list[tuple[str, str, bool, str]]  # name, type, required, what for
    body: list[tuple[str, str, bool, str]]
    answer: str


def operations(schema: dict[str, Any]) -> list[Operation]:
    """All operations, in the order of their paths."""
    gates = {op.operation_id or API.get_openapi_operation_id(op): op.auth_callbacks[0] for op in _all()}
    made = []
    for path, methods in sorted(schema["paths"].items()):
        for method, told in methods.items():
            gate = gates[told["operationId"]]
            if not isinstance(gate, Needs):
                raise TypeError(path)
            made.append(
                Operation(
                    method.upper(),
                    path,
                    told.get("summary", ""),
                    told.get("description", ""),
                    str(gate.scope),
                    [Role(r).label for r in sorted(gate.may)],
                    [
                        (p["name"], _type(p["schema"]), p.get("required", False), p.get("description", ""))
                        for p in told.get("parameters", ())
                    ],
                    _fields(schema, told.get("requestBody", {})),
                    _answer(told["responses"]),
                )
            )
    return made


def _all() -> list[Any]:
    routers = [router for _prefix, router in API._routers]  # noqa: SLF001 - ninja has no list of its own
    return [operation for r in routers for view in r.path_operations.values() for operation in view.operations]


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in schema:
        return " | ".join(_type(s) for s in schema["anyOf"] if s.get("type") != "null")
    if schema.get("type") == "array":
        return f"[{_type(schema.get('items', {}))}]"
    return str(schema.get("format") or schema.get("type") or "object")


def _fields(schema: dict[str, Any], body: dict[str, Any]) -> list[tuple[str, str, bool, str]]:
    content = body.get("content", {}).get("application/json", {}).get("schema", {})
    if "$ref" not in content:
        return []
    found = schema["components"]["schemas"][content["$ref"].rsplit("/", 1)[-1]]
    wanted = found.get("required", ())
    return [(k, _type(v), k in wanted, v.get("description", "")) for k, v in found["properties"].items()]


def _answer(responses: dict[Any, Any]) -> str:
    for status in (200, 201):
        for media, content in responses.get(status, {}).get("content", {}).items():
            return f"{status} · {media} · {_type(content.get('schema', {}))}"
    return ""


def docs(request: HttpRequest) -> HttpResponse:
    """The page."""
    found = operations(API.get_openapi_schema())
    title = _("{n} 个接口，凭令牌访问，按角色与范围放行").format(n=len(found))
    return page(
        request,
        "ui/docs.jinja",
        {"operations": found, "origin": f"{request.scheme}://{request.get_host()}"},
        here="api-docs",
        title=title,
    )
