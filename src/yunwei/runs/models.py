"""Runs as domain rows; the engine's own tables are not ours to read."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class RunState(models.TextChoices):
    """Where a run stands: from submitted to running to one of the ends, which the statements of `rows` hold; no way back."""

    SUBMITTED = "submitted", _("已提交")
    RUNNING = "running", _("进行中")
    DONE = "done", _("已完成")
    FAILED = "failed", _("失败")
    CANCELLED = "cancelled", _("已取消")


class Run(models.Model):
    """One attempt to do a procedure. Its id `kind:obligation:period:attempt` makes submitting twice harmless."""

    id = models.CharField(primary_key=True, max_length=120)
    procedure = models.CharField(max_length=60)
    scope = models.JSONField()
    terms = models.JSONField()
    cause = models.JSONField()
    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.SUBMITTED)
    submitted_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    #: what the run proved, written by the observer whose line of work it is: {"verdict", "coverage", …}
    outcome = models.JSONField(null=True, blank=True)

    class Meta:
        indexes = (models.Index(fields=("state", "submitted_at"), name="run_state"),)

    def __str__(self) -> str:
        return self.id


class RunResult(models.Model):
    """One sealed part of a run's result (a zone's chunk), taken in once."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="results")
    part = models.CharField(max_length=80)
    collector = models.CharField(max_length=60)
    artifact = models.CharField(max_length=80)
    received_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("run", "part"), name="result_once"),)

    def __str__(self) -> str:
        return f"{self.run_id}/{self.part}"


class Worker(models.Model):
    """A worker process as it last told of itself; only people look at this, takeover asks the database's locks."""

    executor = models.CharField(primary_key=True, max_length=120)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.executor
