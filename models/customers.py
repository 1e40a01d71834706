"""Customers: the people who write to a company."""

from datetime import datetime
from uuid import UUID

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields import Now, SqlDefault

from models.companies import Company
from models.customer_merges import customer_now
from models.errors import BadInput
from models.tenancy import CompanyModel, company_scope


class Customer(CompanyModel):
    """One person who writes to one company, known by ``phone`` within it."""

    id = fields.UUIDField(
        primary_key=True, default=None, db_default=SqlDefault("gen_random_uuid()")
    )
    company: fields.ForeignKeyRelation[Company] = fields.ForeignKeyField(
        "models.Company", related_name=False, on_delete=fields.CASCADE
    )
    phone = fields.CharField(20)
    name = fields.CharField(255, null=True)
    email = fields.CharField(255, null=True)
    stage = fields.CharField(50, null=True, db_default="lead")
    first_contact = fields.DatetimeField(null=True, db_default=Now())
    last_interaction = fields.DatetimeField(null=True)
    total_interactions = fields.IntField(null=True, db_default=0)
    lifetime_value = fields.DecimalField(10, 2, null=True, db_default=SqlDefault("0.00"))
    created_at = fields.DatetimeField(null=True, db_default=Now())
    updated_at = fields.DatetimeField(null=True, db_default=Now())
    tags = ArrayField("varchar(100)", null=True)
    metadata = fields.JSONField[dict[str, object]](null=True, db_default=SqlDefault("'{}'::jsonb"))
    whatsapp_lid = fields.CharField(32, null=True)
    paused_until = fields.DatetimeField(null=True)
    pause_reason = fields.CharField(50, null=True)
    opted_out = fields.BooleanField(db_default=False)
    noticed_at = fields.DatetimeField(null=True)
    limited_until = fields.DatetimeField(null=True)

    class Meta:
        table = "customers"
        unique_together = (("company", "phone"), ("company", "id"))


async def find_customer(company_id: UUID, ref: str) -> Customer:
    """The customer that *ref* names: a UUID, or the exact ``phone``, now or before a merge."""
    async with company_scope(company_id):
        customer = await Customer.of(company_id).get_or_none(**await _named(company_id, ref))
    if customer is None:
        raise BadInput(
            f"there is no customer {ref!r} of this company; write the UUID or the exact phone,"
            " such as +13055550100, lid:… or cli:…"
        )
    return customer


async def pause_customer(
    company_id: UUID, customer_id: UUID, *, until: datetime | None, reason: str = "command"
) -> None:
    """Silence the persona in one chat until a time; None lets it speak again."""
    values = {"paused_until": until, "pause_reason": reason if until else None}
    async with company_scope(company_id):
        customers = Customer.of(company_id)
        if not await customers.filter(id=customer_id).update(**values):
            now = await customer_now(company_id, customer_id)
            await customers.filter(id=now).update(**values)


async def _named(company_id: UUID, ref: str) -> dict[str, object]:
    try:
        return {"id": await customer_now(company_id, UUID(ref))}
    except ValueError:
        # Whoever has shown a number since is found by the LID all the same.
        return {"whatsapp_lid": ref[4:]} if ref.startswith("lid:") else {"phone": ref}
