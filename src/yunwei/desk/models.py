"""Tickets: what is asked for or broken, and its whole history. Clocks are not stored here: they are occurrences."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from yunwei.accounts.models import Account, Organisation
from yunwei.assets.models import Asset, System
from yunwei.duties.models import TriggerEvent


class TicketKind(models.TextChoices):
    """What kind of thing was brought to the desk; `services.EVENTS` says which clocks each starts."""

    FAULT = "fault", _("故障")
    REQUEST = "request", _("咨询与信息支持")
    SERVICE = "service", _("服务申请")
    CRYPTO = "crypto", _("密码服务申请")


class TicketState(models.TextChoices):
    """Where a ticket stands; `services.TRANSITIONS` says who may move it where."""

    NEW = "new", _("待受理")
    ACCEPTED = "accepted", _("已受理")
    WORKING = "working", _("处理中")
    WAITING = "waiting", _("待对方提供")
    RESOLVED = "resolved", _("待确认")
    CLOSED = "closed", _("已关闭")
    REJECTED = "rejected", _("不予受理")


class Ticket(models.Model):
    """One fault or one request. A fault is one component of one asset: sweeps update it and open no second one."""

    number = models.CharField(max_length=20, unique=True)
    kind = models.CharField(max_length=8, choices=TicketKind.choices)
    title = models.CharField(max_length=200)
    body = models.TextField(blank=True)
    severity = models.CharField(max_length=8, blank=True)
    state = models.CharField(max_length=8, choices=TicketState.choices, default=TicketState.NEW)
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, null=True, blank=True, related_name="tickets")
    component = models.CharField(max_length=160, blank=True)
    system = models.ForeignKey(System, on_delete=models.PROTECT, null=True, blank=True, related_name="tickets")
    wanted_on = models.DateField(null=True, blank=True)  # by when the requester wishes it; a wish, no deadline
    requester = models.ForeignKey(Organisation, on_delete=models.PROTECT, null=True, blank=True)
    channel = models.CharField(max_length=12, default="sweep")  # sweep, phone, mail, sms, wechat, portal, desk
    opened_at = models.DateTimeField()
    opened_by = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    assignee = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    closed_at = models.DateTimeField(null=True, blank=True)
    #: the recorded event whose occurrences are this ticket's clocks
    event = models.ForeignKey(TriggerEvent, on_delete=models.PROTECT, null=True, blank=True, related_name="tickets")
    evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("asset", "component"),
                condition=models.Q(kind="fault", closed_at__isnull=True, asset__isnull=False),
                name="fault_open_once",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=("state", "-opened_at"), name="ticket_state"),
            models.Index(fields=("requester", "-opened_at"), name="ticket_requester"),
        ]
        ordering = ("-opened_at", "-id")

    def __str__(self) -> str:
        return f"{self.number} {self.title}"


class Entry(models.Model):
    """One line of a ticket's history: a move, a comment, a file, a reply to the requester, news from a sweep.

    `inside`: said between the two parties (names of engineers, addresses of equipment); the department never sees it.
    """

    ticket = models.ForeignKey(Ticket, on_delete=models.PROTECT, related_name="history")
    at = models.DateTimeField()
    by = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    what = models.CharField(max_length=12)  # opened, moved, comment, reply, file, sweep
    state = models.CharField(max_length=8, choices=TicketState.choices, blank=True)
    text = models.TextField(blank=True)
    file_name = models.CharField(max_length=120, blank=True)
    artifact = models.CharField(max_length=64, blank=True)  # commitment of the file
    inside = models.BooleanField(default=False)
    evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ("ticket", "id")

    def __str__(self) -> str:
        return f"{self.ticket_id} {self.what}"
