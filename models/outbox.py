"""Outbox: what we say, from ready to sent."""

from tortoise import fields
from tortoise.fields import Now

from models.tenancy import CompanyModel


class Outbound(CompanyModel):
    """One bubble: a part of a turn's reply, or a notice (``turn_id`` is null)."""

    id = fields.BigIntField(primary_key=True, generated=True)
    company_id = fields.UUIDField()
    customer_id = fields.UUIDField()
    turn_id = fields.UUIDField(null=True)
    part = fields.IntField(db_default=1)
    kind = fields.CharField(20)
    channel = fields.CharField(20)
    chat = fields.CharField(128)
    content = fields.TextField()
    state = fields.CharField(20, db_default="ready")
    reason = fields.CharField(200, null=True)
    wa_id = fields.CharField(200, null=True)
    confirmed = fields.BooleanField(db_default=True)
    message_secret = fields.BinaryField(null=True)
    sessions_hash = fields.CharField(64, null=True)
    fence = fields.BigIntField(null=True)
    host_id = fields.UUIDField(null=True)
    ai_metadata = fields.JSONField[dict[str, object]](null=True)
    created_at = fields.DatetimeField(db_default=Now())
    sending_at = fields.DatetimeField(null=True)
    sent_at = fields.DatetimeField(null=True)
    remembered = fields.BooleanField(db_default=False)

    class Meta:
        table = "outbox"
