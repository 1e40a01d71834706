"""Events: what happened, noted by triggers in the transaction of the thing itself."""

from tortoise import fields
from tortoise.fields import SqlDefault

from models.companies import Company
from models.tenancy import CompanyModel


class Event(CompanyModel):
    """One thing that happened to a company; ``judged`` once its incidents know of it."""

    id = fields.BigIntField(primary_key=True, generated=True)
    company: fields.ForeignKeyRelation[Company] = fields.ForeignKeyField(
        "models.Company", related_name=False, on_delete=fields.CASCADE
    )
    kind = fields.CharField(20)
    subject = fields.CharField(64, db_default="")
    data = fields.JSONField[dict[str, object]](db_default=SqlDefault("'{}'::jsonb"))
    at = fields.DatetimeField(db_default=SqlDefault("clock_timestamp()"))
    judged = fields.BooleanField(db_default=False)

    class Meta:
        table = "events"
