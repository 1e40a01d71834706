"""Companies: each business that LYROX answers for."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.exceptions import IntegrityError
from tortoise.fields import Now, SqlDefault

from models import entries
from models.errors import BadInput
from models.tenancy import CompanyModel, company_scope, system_scope
from models.users import User, find_or_add_user

LONGEST_PAUSE_MINUTES = 60 * 24 * 30

Check = Callable[[str, str], object]
REQUIRED: Mapping[str, Check] = {
    "name": partial(entries.line, longest=255),
    "brand_personality": entries.text,
}
OPTIONAL: Mapping[str, Check] = {
    "industry": partial(entries.line, longest=100),
    "website": partial(entries.link, longest=500),
    "system_prompt": entries.text,
    "active": entries.flag,
    "mark_read": entries.flag,
    "typing_aware": entries.flag,
    "show_typing": entries.flag,
    "pace_seconds": partial(entries.seconds, most=30),
    "reply_parts": partial(entries.whole, least=1, most=3),
    "pause_minutes": partial(entries.whole, least=1, most=LONGEST_PAUSE_MINUTES),
    "resume_word": partial(entries.line, longest=40),
}
WISHES: Mapping[str, Check] = {"language": entries.language, "time_zone": entries.time_zone}
"""What is kept in ``metadata``."""


class Company(CompanyModel):
    """One business, its persona and its WhatsApp number.

    From ``mark_read`` on it is how its answers come; None: as the configuration says, and of
    ``typing_aware`` that nobody is waited for.
    """

    wall = "id"

    id = fields.UUIDField(
        primary_key=True, default=None, db_default=SqlDefault("gen_random_uuid()")
    )
    owner: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, on_delete=fields.CASCADE
    )
    name = fields.CharField(255)
    industry = fields.CharField(100, null=True)
    website = fields.CharField(500, null=True)
    brand_personality = fields.TextField()
    system_prompt = fields.TextField(null=True)
    whatsapp_phone = fields.CharField(20, null=True, unique=True)
    whatsapp_connected = fields.BooleanField(null=True, db_default=False)
    whatsapp_session_data = fields.JSONField[dict[str, object]](null=True)
    whatsapp_last_connected = fields.DatetimeField(null=True)
    active = fields.BooleanField(null=True, db_default=True)
    subscription_plan = fields.CharField(50, null=True, db_default="free")
    subscription_status = fields.CharField(50, null=True, db_default="active")
    created_at = fields.DatetimeField(null=True, db_default=Now())
    updated_at = fields.DatetimeField(null=True, db_default=Now())
    metadata = fields.JSONField[dict[str, object]](null=True, db_default=SqlDefault("'{}'::jsonb"))
    slug = fields.CharField(63, unique=True)
    paused = fields.BooleanField(db_default=False)
    mark_read = fields.BooleanField(null=True)
    show_typing = fields.BooleanField(null=True)
    pace_seconds = fields.FloatField(null=True)
    reply_parts = fields.SmallIntField(null=True)
    pause_minutes = fields.IntField(null=True)
    resume_word = fields.CharField(40, null=True)
    typing_aware = fields.BooleanField(null=True)

    class Meta:
        table = "companies"


async def list_companies() -> list[Company]:
    """All companies by name, for the operator."""
    async with system_scope():
        return await Company.everywhere().order_by("name", "slug")


async def find_company(ref: str) -> Company:
    """The company that *ref* names: a slug or a UUID."""
    wanted = {"id": _uuid(ref)} if _uuid(ref) else {"slug": ref}
    async with system_scope():
        company = await Company.everywhere().get_or_none(**wanted)
    if company is None:
        raise BadInput(f"there is no company {ref!r}; `lyrox company list` shows all")
    return company


async def company_of(company_id: UUID) -> Company | None:
    """The company with its owner, for the system's own eyes; None where it is gone."""
    async with system_scope():
        everywhere = Company.everywhere().select_related("owner")
        return await everywhere.get_or_none(id=company_id)


async def add_company(
    slug: str, values: Mapping[str, str], *, owner_email: str, owner_name: str | None = None
) -> tuple[Company, str | None]:
    """Add a company. The second value is a new owner's temporary password, to be shown once."""
    entries.slug("slug", slug)
    checked = check_fields(values, REQUIRED, OPTIONAL, complete=True)
    async with system_scope():
        if await Company.everywhere().filter(slug=slug).exists():
            raise BadInput(f"slug: {slug!r} is taken; choose another")
        owner, password = await find_or_add_user(owner_email, owner_name)
        try:
            company = await Company.create(slug=slug, owner_id=owner.id, **checked)
        except IntegrityError:
            raise BadInput(f"slug: {slug!r} was taken just now; choose another") from None
    return company, password


async def set_company(ref: str, values: Mapping[str, str]) -> Company:
    """Change fields of a company; an empty value clears an optional one."""
    checked = check_fields(values, REQUIRED, {**OPTIONAL, **WISHES})
    wishes = {name: checked.pop(name) for name in WISHES if name in checked}
    company = await find_company(ref)
    async with company_scope(company.id):
        if wishes:
            row = await Company.of(company.id).select_for_update().get()
            checked["metadata"] = json_object(row.metadata) | wishes
        await Company.of(company.id).update(**checked)
        return await Company.of(company.id).get()


async def pause_company(company_id: UUID, paused: bool) -> None:
    """Silence the persona in every chat of a company, or let it speak again."""
    async with company_scope(company_id):
        await Company.of(company_id).update(paused=paused)


def json_object(value: object) -> dict[str, object]:
    """What a JSONB column holds; nothing where somebody wrote no object there."""
    return dict(value) if isinstance(value, Mapping) else {}


def check_fields(
    values: Mapping[str, str],
    required: Mapping[str, Check],
    optional: Mapping[str, Check],
    *,
    complete: bool = False,
) -> dict[str, Any]:
    """Check what a person entered; *complete* demands every required field."""
    known = {**required, **optional}
    if unknown := sorted(values.keys() - known.keys()):
        raise BadInput(f"{unknown[0]}: no such field; known are {', '.join(known)}")
    if complete and (missing := sorted(required.keys() - values.keys())):
        raise BadInput(f"{missing[0]}: is missing")
    if not values:
        raise BadInput(f"nothing to set; known fields are {', '.join(known)}")
    return {
        field: None if value == "" and field in optional else known[field](field, value)
        for field, value in values.items()
    }


def _uuid(ref: str) -> UUID | None:
    try:
        return UUID(ref)
    except ValueError:
        return None
