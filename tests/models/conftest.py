"""An open database and two companies that must never see each other."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

import pytest

from models.companies import Company
from models.customers import Customer
from models.database import Database, connect
from models.products import Product
from models.tenancy import system_scope
from models.users import User


@dataclass(frozen=True)
class Firm:
    """One company with one owner, one customer and one product."""

    id: UUID
    owner: UUID
    customer: UUID
    product: UUID


@pytest.fixture
async def db(database: str) -> AsyncIterator[Database]:
    """A fresh, migrated database with the models open on it."""
    async with connect(database, connections=5) as opened:
        yield opened


@pytest.fixture
async def firms(db: Database) -> tuple[Firm, Firm]:
    """Two companies with the same customer's phone number and the same product's name."""
    return await add_firm("north"), await add_firm("south")


async def add_firm(slug: str) -> Firm:
    """Make one company with everything that belongs to it."""
    async with system_scope():
        owner = await User.create(email=f"{slug}@test.invalid", password_hash="-")
        company = await Company.create(
            slug=slug, name=slug.title(), owner_id=owner.id, brand_personality="Amable."
        )
        customer = await Customer.create(company_id=company.id, phone="+13055550100")
        product = await Product.create(company_id=company.id, name="Plan", price=Decimal("98.00"))
    return Firm(company.id, owner.id, customer.id, product.id)
