"""What a person sees instead of a page: not to be read, not allowed, not there, broken. Each says what it is and where to go on."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from yunwei.ui.api import problem
from yunwei.ui.context import page
from yunwei.ui.middleware import API


def unreadable(request: HttpRequest, exception: BaseException | None = None) -> HttpResponse:  # noqa: ARG001
    """400: what came is no request to us: another host's name, a broken form, more than may be sent. Who asks is not yet
    known here, and the answer says nothing of what was sent."""
    if request.path.startswith(API):
        return problem(request, 400, _("这个请求无法读取"))
    context = {
        "status": 400, "sentence": _("这个请求无法读取"), "hint": _("没有保存任何内容。请返回上一页，检查后再提交。"),
        "language": getattr(request, "LANGUAGE_CODE", "zh-hans"),
    }  # fmt: skip
    return render(request, "told_plain.jinja", context, status=400)


def denied(request: HttpRequest, exception: BaseException | None = None) -> HttpResponse:  # noqa: ARG001 - Django's call
    """403: the role may not; said without saying what would be there."""
    hint = _("权限按角色授予；确有需要，请向安全管理员申请。")
    return _told(request, 403, _("您的角色不能打开这一页"), hint)


def missing(request: HttpRequest, exception: BaseException | None = None) -> HttpResponse:  # noqa: ARG001
    """404: not there, or not yours; the two are told alike."""
    return _told(request, 404, _("没有这一页，或者它不属于您的单位"), _("请检查地址，或从左侧菜单进入。"))


def broken(request: HttpRequest) -> HttpResponse:
    """500: our fault. The frame needs the database, which may be what is broken, so this page stands alone."""
    return render(request, "broken.jinja", {"language": getattr(request, "LANGUAGE_CODE", "zh-hans")}, status=500)


def _told(request: HttpRequest, status: int, sentence: str, hint: str) -> HttpResponse:
    context: dict[str, Any] = {"status": status, "sentence": sentence, "hint": hint, "language": "zh-hans"}
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return render(
            request,
            "told_plain.jinja",
            context | {"language": getattr(request, "LANGUAGE_CODE", "zh-hans")},
            status=status,
        )
    response = page(request, "told.jinja", {k: v for k, v in context.items() if k != "language"})
    response.status_code = status
    return response
