"""Deliveries: alerts and events on their way to an owner or an integrator."""

from tortoise import fields
from tortoise.fields import SqlDefault

from models.companies import Company
from models.tenancy import CompanyModel


class Delivery(CompanyModel):
    """One message for one channel; the waiting ones of a company and channel go in order.

    ``event_id`` is what receivers know it by, however often it is tried. ``source`` names what it
    was made from, so that nothing is made twice.
    """

    id = fields.BigIntField(primary_key=True, generated=True)
    company: fields.ForeignKeyRelation[Company] = fields.ForeignKeyField(
        "models.Company", related_name=False, on_delete=fields.CASCADE
    )
    event_id = fields.UUIDField(default=None, db_default=SqlDefault("gen_random_uuid()"))
    channel = fields.CharField(20)
    type = fields.CharField(40)
    source = fields.CharField(100)
    payload = fields.JSONField[dict[str, object]]()
    state = fields.CharField(20, db_default="waiting")
    attempts = fields.IntField(db_default=0)
    next_try_at = fields.DatetimeField()
    reason = fields.CharField(300, null=True)
    created_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "deliveries"
        unique_together = (("company", "channel", "source"),)
