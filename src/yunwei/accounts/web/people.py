"""人员与权限: who has an account, with what role and in what state; and for the officers, what they do about it.

The system officer makes accounts, the security officer wakes them, gives roles, puts to sleep and unlocks; the services
decide. When somebody was last here is for the officers and the auditor: nobody's idle time is on show.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from yunwei.accounts import passwords, services, throttle, totp, wall
from yunwei.accounts.errors import AccountError
from yunwei.accounts.models import Account, Organisation, PartyOf, Role
from yunwei.accounts.policy import policy
from yunwei.ledger.models import Intake
from yunwei.ui import cells, words
from yunwei.ui.context import now, page
from yunwei.ui.listing import Column, Filter, Listing, Shown, contains, equals, show
from yunwei.ui.pages import OFFICERS, READERS

MAY = READERS | OFFICERS
#: who sees when somebody was last here
WATCH = frozenset({Role.SYSADMIN, Role.SECADMIN, Role.AUDITOR})
#: records of one account that its page shows
SHOWN = 30
STATES = {
    "awake": gettext_lazy("已启用"), "asleep": gettext_lazy("未启用"), "locked": gettext_lazy("已锁定"),
    "first": gettext_lazy("待改初始口令"),
}  # fmt: skip


def who(request: HttpRequest) -> Account:
    """The account that is logged in."""
    if not isinstance(request.user, Account):
        raise PermissionDenied
    return request.user


def _state(account: Any) -> tuple[str, str]:
    """Tone and word: the most urgent thing that is true of it."""
    if not account.is_active:
        return "mut", _("未启用")
    if account.locked:
        return "bad", _("已锁定")
    if not account.has_usable_password():
        return "warn", _("待发口令")
    if account.must_change:
        return "warn", _("待改初始口令")
    if passwords.expired(account, policy(), now()):
        return "warn", _("口令到期")
    return "ok", _("已启用")


def _attach(rows: list[Any]) -> None:
    """Locks and second factors of the page's rows, in two statements."""
    locked = throttle.locked_until([a.username for a in rows], wall.now())
    having = totp.having([a.pk for a in rows])
    for account in rows:
        account.locked, account.totp = locked.get(account.username), account.pk in having


def _locked() -> list[str]:
    """The accounts in use whose names are locked now; two statements."""
    names = list(Account.objects.filter(is_active=True).values_list("username", flat=True))
    return list(throttle.locked_until(names, wall.now()))


def _by_state(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    if text == "locked":
        return rows.filter(is_active=True, username__in=_locked())
    return {
        "awake": rows.filter(is_active=True), "asleep": rows.filter(is_active=False),
        "first": rows.filter(is_active=True, must_change=True),
    }.get(text, rows.none())  # fmt: skip


def _units() -> Sequence[tuple[str, Any]]:
    return [(o.code, o.name) for o in Organisation.objects.order_by("party", "code")]


def _roles() -> Sequence[tuple[str, Any]]:
    return [(role.value, role.label) for role in Role]


def _totp(account: Any) -> Any:
    return cells.state("ok", _("已绑定")) if account.totp else cells.NOTHING


COLUMNS = (
    Column(
        "username",
        gettext_lazy("账号"),
        lambda a: a.username,
        lambda a: cells.name(a.display_name, note=a.username),
        "lead",
    ),
    Column("role", gettext_lazy("角色"), lambda a: a.get_role_display()),
    Column("unit", gettext_lazy("单位"), lambda a: a.organisation.name, lambda a: cells.name(a.organisation.name)),
    Column("party", gettext_lazy("属于"), lambda a: a.organisation.get_party_display()),
    Column("state", gettext_lazy("状态"), lambda a: _state(a)[1], lambda a: cells.state(*_state(a))),
)
SEEN = (
    Column("totp", gettext_lazy("动态口令"), lambda a: _("已绑定") if a.totp else "", _totp, sparse=True),
    Column("last", gettext_lazy("最近登录"), lambda a: a.last_login, lambda a: cells.stamp(a.last_login)),
)


def _listing(columns: tuple[Column, ...]) -> Listing:
    return Listing(
        name="people",
        rows=lambda _request: Account.objects.select_related("organisation"),
        columns=columns,
        order=("organisation__party", "organisation__code", "username"),
        filters=(
            Filter("q", gettext_lazy("查找"), contains("username", "display_name"), hint=gettext_lazy("账号或姓名")),
            Filter("unit", gettext_lazy("单位"), equals("organisation__code"), _units),
            Filter("role", gettext_lazy("角色"), equals("role"), _roles),
            Filter("state", gettext_lazy("状态"), _by_state, lambda: list(STATES.items())),
        ),
        link=lambda a: reverse("people-one", args=[a.pk]),
        attach=_attach,
    )


PLAIN, WATCHED = _listing(COLUMNS), _listing(COLUMNS + SEEN)


def _sentence(shown: Shown) -> Any:
    told = Account.objects.aggregate(all=Count("pk"), asleep=Count("pk", filter=Q(is_active=False)))
    if shown.chosen:
        return _("筛选出 {n} 个账号，共 {all} 个").format(n=shown.total, all=told["all"])
    locked = len(_locked())
    said: list[tuple[str, str]] = [(_("{n} 个账号，全部启用").format(n=told["all"]), "")]
    if told["asleep"]:
        awake = told["all"] - told["asleep"]
        said = [
            (_("{n} 个账号，{awake} 个启用，").format(n=told["all"], awake=awake), ""),
            (_("{n} 个未启用").format(n=told["asleep"]), "warn"),
        ]
    if locked:
        said.append((_("，{n} 个已锁定").format(n=locked), "bad"))
    return said


def people(request: HttpRequest) -> HttpResponseBase:
    """The accounts, as a list that can be filtered and taken away."""
    me = who(request)
    listing = WATCHED if me.role in WATCH else PLAIN
    context = {"may_make": me.role == Role.SYSADMIN}
    return show(request, listing, _sentence, template="accounts/people.jinja", context=context)


@never_cache
def one(request: HttpRequest, pk: int, *, told: dict[str, Any] | None = None, status: int = 200) -> HttpResponse:
    """One account: what it is, what the reader may do about it, and what the ledger knows of it."""
    me = who(request)
    account = get_object_or_404(Account.objects.select_related("organisation"), pk=pk)
    _attach([account])
    tone, word = _state(account)
    context = {
        "one": account, "state": (tone, word), "acts": _acts(me, account), "roles": _other_roles(account),
        "facts": _facts(account, watching=me.role in WATCH), "history": _history(account) if me.role in WATCH else None,
        "problem": "", "password": "", "done": "",
    }  # fmt: skip
    title = _("{name}：{role}，{state}").format(name=account.display_name, role=account.get_role_display(), state=word)
    response = page(request, "accounts/person.jinja", context | (told or {}), here="people", title=title)
    response.status_code = status
    return response


def _facts(account: Any, *, watching: bool) -> list[tuple[Any, Any]]:
    facts = [
        (_("账号"), cells.name(account.username)),
        (
            _("单位"),
            _("{name}（{party}）").format(
                name=account.organisation.name, party=account.organisation.get_party_display()
            ),
        ),
        (_("角色"), account.get_role_display()),
        (_("状态"), cells.state(*_state(account))),
    ]
    if not watching:
        return facts
    locked = account.locked
    left = max(1, round((locked - wall.now()).total_seconds() / 60)) if locked else 0
    return [
        *facts,
        (_("人员编号"), account.person),
        (_("建立人"), account.made_by),
        (_("动态口令"), _totp(account)),
        (_("最近登录"), cells.stamp(account.last_login)),
        (_("口令设定于"), cells.stamp(account.password_changed_at)),
        *([(_("锁定剩余"), _("{n} 分钟").format(n=left))] if locked else []),
    ]


def _history(account: Account) -> list[dict[str, Any]]:
    rows = Intake.objects.filter(subject=account.username, kind__startswith="accounts.").order_by("-pk")
    found = rows.select_related("entry")[:SHOWN]
    return [
        {
            "at": r.at,
            "what": words.event(r.kind),
            "actor": r.actor,
            "seq": getattr(getattr(r, "entry", None), "seq", None),
        }
        for r in found
    ]


def _acts(me: Account, account: Any) -> dict[str, bool]:
    """What may be offered; each is decided again when it is done."""
    governs, hands = services.may_govern(me, account), services.may_hand(me, account)
    awake = account.is_active
    officer = Role(account.role) in services.OFFICERS
    return {
        "wake": governs and not awake,
        "sleep": governs and awake,
        "role": governs and not officer,
        "unlock": governs and bool(account.locked),
        "password": hands and awake,
        "totp": governs and account.totp,
    }


def _other_roles(account: Account) -> list[tuple[str, Any]]:
    sides = services.PARTY_OF_ROLE
    return [(r.value, r.label) for r in Role if sides.get(r) == account.party and r != account.role]


@never_cache
@require_http_methods(["POST"])
def act(request: HttpRequest, pk: int) -> HttpResponse:
    """What an officer does about an account. A password that is made is shown on this answer and never again."""
    me = who(request)
    account = get_object_or_404(Account.objects.select_related("organisation"), pk=pk)
    told: dict[str, Any]
    doing: dict[str, Callable[[], str | None]] = {
        "wake": lambda: services.activate(account, by=me, now=now()),
        "sleep": lambda: services.put_to_sleep(account, by=me, now=now()),
        "role": lambda: services.change_role(account, request.POST.get("role", ""), by=me, now=now()),
        "unlock": lambda: services.unlock(account, by=me, now=now()),
        "password": lambda: services.new_password(account, by=me, now=now()),
        "totp": lambda: services.reset_totp(account, by=me, now=now()),
    }
    do = doing.get(request.POST.get("act", ""))
    if do is None:
        raise PermissionDenied
    try:
        made = do()
    except AccountError as error:
        told = {"problem": str(error)}
        return one(request, pk, told=told, status=409)
    if not made:
        return redirect("people-one", pk=pk)
    return one(request, pk, told={"password": made})


@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """The system officer makes an account, which sleeps."""
    me = who(request)
    given = {key: request.POST.get(key, "").strip() for key in ("username", "display_name", "role", "unit", "person")}
    problem = ""
    if request.method == "POST":
        unit = Organisation.objects.filter(code=given["unit"]).first()
        try:
            if unit is None:
                raise AccountError(_("请选择单位"))
            made = services.create_account(
                username=given["username"], display_name=given["display_name"], role=given["role"], organisation=unit,
                person=given["person"], by=me.username, now=now(),
            )  # fmt: skip
        except AccountError as error:
            problem = str(error)
        else:
            return redirect("people-one", pk=made.pk)
    context = {
        "given": given, "problem": problem, "roles": _roles_by_side(),
        "units": [(o.code, _("{name}（{party}）").format(name=o.name, party=o.get_party_display())) for o in Organisation.objects.order_by("party", "code")],
    }  # fmt: skip
    response = page(
        request, "accounts/new.jinja", context, here="people", title=_("新账号建立后未启用，由另一位安全管理员启用")
    )
    response.status_code = 400 if problem else 200
    return response


def _roles_by_side() -> list[tuple[Any, list[tuple[str, Any]]]]:
    sides = services.PARTY_OF_ROLE
    groups = [(p.label, [(r.value, r.label) for r in Role if sides.get(r) == p]) for p in PartyOf]
    officers = [(r.value, r.label) for r in Role if r in services.OFFICERS]
    return [*groups, (_("三员"), officers)]
