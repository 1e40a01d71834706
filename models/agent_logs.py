"""Agent logs: what the agents did."""

from tortoise import fields
from tortoise.fields import Now, SqlDefault

from models.companies import Company
from models.customers import Customer
from models.tenancy import CompanyModel


class AgentLog(CompanyModel):
    """One event, such as a message sent, with what it cost."""

    id = fields.UUIDField(
        primary_key=True, default=None, db_default=SqlDefault("gen_random_uuid()")
    )
    company: fields.ForeignKeyRelation[Company] = fields.ForeignKeyField(
        "models.Company", related_name=False, on_delete=fields.CASCADE
    )
    agent_type = fields.CharField(100)
    event_type = fields.CharField(100)
    event_data = fields.JSONField[dict[str, object]]()
    customer: fields.ForeignKeyNullableRelation[Customer] = fields.ForeignKeyField(
        "models.Customer", related_name=False, on_delete=fields.SET_NULL, null=True
    )
    tokens_used = fields.IntField(null=True)
    response_time_ms = fields.IntField(null=True)
    created_at = fields.DatetimeField(null=True, db_default=Now())

    class Meta:
        table = "agent_logs"
