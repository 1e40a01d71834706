"""Incidents: what is amiss with a company, from its begin to its end, and when that was told."""

from tortoise import fields
from tortoise.fields import SqlDefault

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
