"""Sales: what customers bought."""

from tortoise import fields
from tortoise.fields import Now, SqlDefault

from models.companies import Company
from models.customers import Customer
from models.products import Product
from models.tenancy import CompanyModel


class Sale(CompanyModel):
    """One purchase; its amount is what was paid, not what the catalogue says now."""

    id = fields.UUIDField(
        primary_key=True, default=None, db_default=SqlDefault("gen_random_uuid()")
    )
    company: fields.ForeignKeyRelation[Company] = fields.ForeignKeyField(
        "models.Company", related_name=False, on_delete=fields.CASCADE
    )
    customer: fields.ForeignKeyRelation[Customer] = fields.ForeignKeyField(
        "models.Customer", related_name=False, on_delete=fields.CASCADE
    )
    product: fields.ForeignKeyRelation[Product] = fields.ForeignKeyField(
        "models.Product", related_name=False, on_delete=fields.RESTRICT
    )
    amount = fields.DecimalField(10, 2)
    currency = fields.CharField(3, null=True, db_default="USD")
    payment_method = fields.CharField(50, null=True)
    payment_id = fields.CharField(255, null=True)
    payment_status = fields.CharField(50, null=True, db_default="pending")
    sale_date = fields.DatetimeField(null=True, db_default=Now())
    created_at = fields.DatetimeField(null=True, db_default=Now())
    metadata = fields.JSONField[dict[str, object]](null=True, db_default=SqlDefault("'{}'::jsonb"))

    class Meta:
        table = "sales"
