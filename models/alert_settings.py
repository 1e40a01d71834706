"""Alert settings: where a company's alerts and events go."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from tortoise import fields

from models import entries
from models.companies import WISHES, Company, json_object
from models.errors import BadInput
from models.events import Event
from models.inbox import Inbound
from models.tenancy import CompanyModel, system_scope
from models.text import one_line

log = logging.getLogger(__name__)

CHANNELS: Mapping[str, Callable[[str, str], str | bool]] = MappingProxyType(
    {
        "email": entries.email,
        "webhook": entries.webhook,
        "whatsapp": entries.flag,
        "events": entries.webhook,
    }
)
"""What a company may say of its own, and how it is checked."""


class AlertSetting(CompanyModel):
    """Where a company differs from the configuration: None says as there, "" says nowhere.

    ``events`` is the address of its events webhook; the positions are what the publishing of
    events has left behind (``publish_events`` in the migrations).
    """

    company: fields.OneToOneRelation[Company] = fields.OneToOneField(
        "models.Company", related_name=False, on_delete=fields.CASCADE, primary_key=True
    )
    email = fields.CharField(255, null=True)
    webhook = fields.CharField(2000, null=True)
    whatsapp = fields.BooleanField(null=True)
    events = fields.CharField(2000, null=True)
    events_since = fields.DatetimeField(null=True)
    inbox_position = fields.BigIntField(db_default=0)
    log_position = fields.DatetimeField(null=True)
    event_position = fields.BigIntField(db_default=0)

    class Meta:
        table = "alert_settings"


@dataclass(frozen=True, slots=True)
class Addressee:
    """A company as its alerts need it. None: as the configuration says; "": not at all."""

    company_id: UUID
    slug: str
    name: str
    active: bool
    owner_email: str
    device: str
    language: str | None
    time_zone: str | None
    email: str | None
    webhook: str | None
    whatsapp: bool | None
    events: str | None


async def addressees(company_ids: Iterable[UUID]) -> dict[UUID, Addressee]:
    """The companies among these that exist; only inside the system scope."""
    wanted = list(company_ids)
    rows = await Company.everywhere().filter(id__in=wanted).select_related("owner")
    settings = await AlertSetting.everywhere().filter(company_id__in=wanted)
    own = {setting.company_id: setting for setting in settings}  # type: ignore[attr-defined]
    return {company.id: _addressee(company, own.get(company.id)) for company in rows}


def _addressee(company: Company, own: AlertSetting | None) -> Addressee:
    wishes = _wishes(company)
    session = json_object(company.whatsapp_session_data)
    return Addressee(
        company_id=company.id,
        slug=company.slug,
        name=company.name,
        active=bool(company.active) and company.owner.status == "active",
        owner_email=company.owner.email,
        device=_text(session.get("jid")) or "",
        language=wishes.get("language"),
        time_zone=wishes.get("time_zone"),
        email=own.email if own else None,
        webhook=own.webhook if own else None,
        whatsapp=own.whatsapp if own else None,
        events=own.events if own else None,
    )


def _wishes(company: Company) -> dict[str, str]:
    """What it wishes, as far as it may: not only we can have written there."""
    said: object = company.metadata or {}
    refused = [] if isinstance(said, Mapping) else ["metadata: is no object"]
    found = {}
    for field, value in json_object(said).items():
        try:
            if field in WISHES and value not in (None, ""):
                found[field] = str(WISHES[field](field, str(value)))
        except BadInput as error:
            refused.append(one_line(str(error), 200))
    if refused:
        told = {"company": company.slug, "why": "; ".join(refused)}
        log.warning("a company's wish is passed over", extra=told)
    return found


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


async def set_channels(company_id: UUID, values: Mapping[str, str]) -> None:
    """Change where a company's alerts and events go, by what a person entered.

    ``off`` says nowhere, ``default`` says as the configuration does. An events webhook hears what
    happens from now on; one that is moved goes on where it was.
    """
    changes: dict[str, Any] = {name: _entered(name, value) for name, value in values.items()}
    async with system_scope():
        rows = AlertSetting.everywhere()
        # Whoever does the same at this moment is waited for: the row is there, and ours to change.
        await rows.bulk_create([AlertSetting(company_id=company_id)], ignore_conflicts=True)
        own = await rows.select_for_update().get(company_id=company_id)
        if changes.get("events") and not own.events:
            changes |= await _from_now_on()
        await rows.filter(company_id=company_id).update(**changes)


def _entered(field: str, value: str) -> str | bool | None:
    if value == "default":
        return None
    if value == "off":
        return False if field == "whatsapp" else None if field == "events" else ""
    return CHANNELS[field](field, value)


async def _from_now_on() -> dict[str, Any]:
    newest_message = await Inbound.everywhere().order_by("-id").first()
    newest_event = await Event.everywhere().order_by("-id").first()
    now = datetime.now(UTC)
    return {
        "events_since": now,
        "log_position": now,
        "inbox_position": newest_message.id if newest_message else 0,
        "event_position": newest_event.id if newest_event else 0,
    }
