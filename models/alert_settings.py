"""Alert settings: where a company's alerts and events go."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from tortoise import fields

from models.companies import Company
from models.tenancy import CompanyModel


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
    wishes = company.metadata or {}
    session = company.whatsapp_session_data or {}
    return Addressee(
        company_id=company.id,
        slug=company.slug,
        name=company.name,
        active=bool(company.active) and company.owner.status == "active",
        owner_email=company.owner.email,
        device=_text(session.get("jid")) or "",
        language=_text(wishes.get("language")),
        time_zone=_text(wishes.get("time_zone")),
        email=own.email if own else None,
        webhook=own.webhook if own else None,
        whatsapp=own.whatsapp if own else None,
        events=own.events if own else None,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
