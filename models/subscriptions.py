"""Subscriptions: billing, as the document plans it for phase 1."""

from tortoise import fields
from tortoise.fields import Now, SqlDefault

from models.companies import Company
from models.tenancy import CompanyModel


class Subscription(CompanyModel):
    """A company's plan and its billing period."""

    id = fields.UUIDField(
        primary_key=True, default=None, db_default=SqlDefault("gen_random_uuid()")
    )
    company: fields.ForeignKeyRelation[Company] = fields.ForeignKeyField(
        "models.Company", related_name=False, on_delete=fields.CASCADE
    )
    plan = fields.CharField(50)
    status = fields.CharField(50)
    stripe_customer_id = fields.CharField(255, null=True)
    stripe_subscription_id = fields.CharField(255, null=True)
    current_period_start = fields.DatetimeField(null=True)
    current_period_end = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField(null=True, db_default=Now())
    updated_at = fields.DatetimeField(null=True, db_default=Now())
    canceled_at = fields.DatetimeField(null=True)

    class Meta:
        table = "subscriptions"
