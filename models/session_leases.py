"""Session leases: one host for each company's WhatsApp session."""

from tortoise import fields
from tortoise.fields import Now

from models.companies import Company
from models.tenancy import CompanyModel


class SessionLease(CompanyModel):
    """Which host holds a company's session; ``fence`` grows with every new holder."""

    company: fields.OneToOneRelation[Company] = fields.OneToOneField(
        "models.Company", related_name=False, on_delete=fields.CASCADE, primary_key=True
    )
    host_id = fields.UUIDField(null=True)
    fence = fields.BigIntField(db_default=0)
    acquired_at = fields.DatetimeField(db_default=Now())

    class Meta:
        table = "session_leases"
