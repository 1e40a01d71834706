"""Products: what a company's persona may sell."""

from tortoise import fields
from tortoise.fields import Now, SqlDefault

from models.companies import Company
from models.tenancy import CompanyModel


class Product(CompanyModel):
    """One thing a company sells; the only source of prices and payment links."""

    id = fields.UUIDField(
        primary_key=True, default=None, db_default=SqlDefault("gen_random_uuid()")
    )
    company: fields.ForeignKeyRelation[Company] = fields.ForeignKeyField(
        "models.Company", related_name=False, on_delete=fields.CASCADE
    )
    name = fields.CharField(255)
    description = fields.TextField(null=True)
    price = fields.DecimalField(10, 2)
    currency = fields.CharField(3, null=True, db_default="USD")
    payment_link = fields.TextField(null=True)
    stripe_price_id = fields.CharField(255, null=True)
    active = fields.BooleanField(null=True, db_default=True)
    created_at = fields.DatetimeField(null=True, db_default=Now())
    updated_at = fields.DatetimeField(null=True, db_default=Now())
    metadata = fields.JSONField[dict[str, object]](null=True, db_default=SqlDefault("'{}'::jsonb"))

    class Meta:
        table = "products"
