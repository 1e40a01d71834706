"""Incidents: what is amiss with a company, from its begin to its end, and when that was told."""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from tortoise import fields
from tortoise.fields import SqlDefault
from tortoise.queryset import QuerySet

from models.companies import Company
from models.tenancy import CompanyModel


class Incident(CompanyModel):
    """One thing amiss, at most one open of a kind and subject.

    ``tell_at`` is when its owner is to hear of it next, None when there is nothing to say;
    ``told_at`` when that was done last. It ends by itself at ``ends_at``.
    """

    id = fields.UUIDField(
        primary_key=True, default=None, db_default=SqlDefault("gen_random_uuid()")
    )
    company: fields.ForeignKeyRelation[Company] = fields.ForeignKeyField(
        "models.Company", related_name=False, on_delete=fields.CASCADE
    )
    kind = fields.CharField(30)
    subject = fields.CharField(64, db_default="")
    facts = fields.JSONField[dict[str, object]](db_default=SqlDefault("'{}'::jsonb"))
    began_at = fields.DatetimeField()
    tell_at = fields.DatetimeField(null=True)
    told_at = fields.DatetimeField(null=True)
    ends_at = fields.DatetimeField(null=True)
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "incidents"


async def begin(
    company_id: UUID,
    kind: str,
    subject: str,
    *,
    facts: Mapping[str, object],
    at: datetime,
    tell_at: datetime,
    ends_at: datetime | None,
) -> None:
    """Open an incident, or bring the open one up to date; counts in *facts* are added up.

    Only inside the system scope, and by one process at a time.
    """
    known = await Incident.of(company_id).get_or_none(kind=kind, subject=subject, ended_at=None)
    if known is None:
        await Incident.create(
            company_id=company_id,
            kind=kind,
            subject=subject,
            facts=dict(facts),
            began_at=at,
            tell_at=tell_at,
            ends_at=ends_at,
        )
        return
    known.facts = _merged(known.facts, facts)
    known.ends_at = ends_at
    await known.save(update_fields=["facts", "ends_at"])


async def end(company_id: UUID, kind: str, subject: str, *, at: datetime, told: bool) -> None:
    """End an incident, if it is open; *told*: whoever heard of it is to hear that too."""
    await _end(Incident.of(company_id).filter(kind=kind, subject=subject), at, told=told)


async def end_expired(now: datetime, *, untold: Collection[str] = ()) -> None:
    """End the incidents whose time is up; of the kinds in *untold* nobody is to hear that."""
    expired = Incident.everywhere().filter(ends_at__lte=now)
    await _end(expired.filter(kind__in=untold), now, told=False)
    await _end(expired, now, told=True)


async def _end(incidents: QuerySet[Incident], at: datetime, *, told: bool) -> None:
    still_open = incidents.filter(ended_at=None)
    if told:
        await still_open.filter(told_at__not_isnull=True).update(ended_at=at, tell_at=at)
    await still_open.update(ended_at=at, tell_at=None)


def _merged(before: Mapping[str, object], facts: Mapping[str, object]) -> dict[str, object]:
    count = [known["count"] for known in (before, facts) if isinstance(known.get("count"), int)]
    return {**facts, "count": sum(count)} if count else dict(facts)  # type: ignore[arg-type]
