"""Turns: at most one open for each customer."""

from tortoise import fields
from tortoise.fields import Now, SqlDefault

from models.companies import Company
from models.tenancy import CompanyModel


class Turn(CompanyModel):
    """One answer in the making, from claim to its recorded end."""

    id = fields.UUIDField(
        primary_key=True, default=None, db_default=SqlDefault("gen_random_uuid()")
    )
    company: fields.ForeignKeyRelation[Company] = fields.ForeignKeyField(
        "models.Company", related_name=False, on_delete=fields.CASCADE
    )
    customer_id = fields.UUIDField()
    channel = fields.CharField(20)
    chat = fields.CharField(128)
    state = fields.CharField(20, db_default="open")
    attempt = fields.IntField(db_default=1)
    tries = fields.IntField(db_default=0)
    superseded = fields.IntField(db_default=0)
    host_id = fields.UUIDField(null=True)
    claimed_at = fields.DatetimeField(null=True)
    due_at = fields.DatetimeField(null=True)
    handler = fields.CharField(50, null=True)
    reason = fields.CharField(200, null=True)
    details = fields.JSONField[dict[str, object]](db_default=SqlDefault("'{}'::jsonb"))
    opened_at = fields.DatetimeField(db_default=Now())
    closed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "turns"
        unique_together = (("company", "id"),)
