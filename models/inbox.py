"""Inbox: the messages we accepted."""

from tortoise import fields
from tortoise.fields import Now

from models.tenancy import CompanyModel


class Inbound(CompanyModel):
    """One message a customer or the owner wrote, kept until its turn has an end."""

    id = fields.BigIntField(primary_key=True, generated=True)
    company_id = fields.UUIDField()
    customer_id = fields.UUIDField()
    wa_id = fields.CharField(200)
    channel = fields.CharField(20)
    sender = fields.CharField(20)
    chat = fields.CharField(128)
    kind = fields.CharField(20)
    content = fields.TextField()
    sent_at = fields.DatetimeField()
    received_at = fields.DatetimeField(db_default=Now())
    journal_seq = fields.BigIntField(db_default=0)
    state = fields.CharField(20, db_default="pending")
    reason = fields.CharField(200, null=True)
    turn_id = fields.UUIDField(null=True)
    remembered = fields.BooleanField(db_default=False)
    details = fields.JSONField[dict[str, object]](null=True)

    class Meta:
        table = "inbox"
        unique_together = (("company_id", "wa_id"),)
