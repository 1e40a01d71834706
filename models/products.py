"""Products: what a company's persona may sell."""

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from uuid import UUID

from tortoise import fields
from tortoise.fields import Now, SqlDefault

from models import entries
from models.companies import Check, Company, check_fields
from models.errors import BadInput
from models.pictures import picture
from models.tenancy import CompanyModel, company_scope

REQUIRED: Mapping[str, Check] = {
    "name": partial(entries.line, longest=255),
    "price": entries.price,
}
OPTIONAL: Mapping[str, Check] = {
    "description": entries.text,
    "currency": entries.currency,
    "payment_link": entries.link,
    "image": picture,
    "stripe_price_id": partial(entries.line, longest=255),
    "active": entries.flag,
}


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
    image = fields.TextField(null=True)
    metadata = fields.JSONField[dict[str, object]](null=True, db_default=SqlDefault("'{}'::jsonb"))

    class Meta:
        table = "products"


async def list_products(company_id: UUID) -> list[Product]:
    """The company's catalogue in the order the persona sees it, inactive products too."""
    async with company_scope(company_id):
        return await Product.of(company_id).order_by("created_at", "id")


async def add_product(company_id: UUID, values: Mapping[str, str]) -> Product:
    """Add a product to the catalogue."""
    checked = check_fields(values, REQUIRED, OPTIONAL, complete=True)
    async with company_scope(company_id):
        await _refuse_same_name(company_id, checked["name"])
        return await Product.create(company_id=company_id, **checked)


async def set_product(company_id: UUID, ref: str, values: Mapping[str, str]) -> Product:
    """Change fields of the product that *ref* names: its UUID or its exact name."""
    checked = check_fields(values, REQUIRED, OPTIONAL)
    async with company_scope(company_id):
        product = await _find(company_id, ref)
        if "name" in checked and checked["name"] != product.name:
            await _refuse_same_name(company_id, checked["name"])
        await Product.of(company_id).filter(id=product.id).update(**checked)
        return await Product.of(company_id).get(id=product.id)


async def _find(company_id: UUID, ref: str) -> Product:
    found = await Product.of(company_id).filter(name=ref)
    if not found:
        with suppress(ValueError):  # Not a UUID either.
            found = await Product.of(company_id).filter(id=UUID(ref))
    if len(found) != 1:
        wrong = "no product" if not found else "more than one product"
        raise BadInput(f"there is {wrong} {ref!r}; `lyrox product list` shows names and ids")
    return found[0]


async def _refuse_same_name(company_id: UUID, name: object) -> None:
    if await Product.of(company_id).filter(name=name).exists():
        raise BadInput(f"name: there is a product {name!r} already; choose another name")
