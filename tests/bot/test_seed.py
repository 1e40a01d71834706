"""The pilot company of the document, put in place as often as you like."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from bot.seed import pilot_id, seed_emilio_born
from models.companies import find_company, set_company
from models.database import Database, connect
from models.passwords import password_matches
from models.products import list_products, set_product
from models.tenancy import system_scope
from models.users import User


@pytest.fixture
async def db(database: str) -> AsyncIterator[Database]:
    async with connect(database, connections=4) as opened:
        yield opened


async def test_the_seed_makes_what_the_document_says(db: Database) -> None:
    seeded = await seed_emilio_born()

    company = await find_company("emilio-born-pilot")
    assert (seeded.company_id, seeded.created) == (company.id, True)
    assert company.id == pilot_id("emilio-born-pilot")
    assert (company.name, company.industry) == ("Emilio Born Coaching", "Fitness & Wellness")
    assert company.brand_personality.startswith("Eres Emilio Born, un coach fitness venezolano")
    assert "[" not in company.brand_personality
    plan, challenge = await list_products(company.id)
    assert (plan.name, plan.price) == ("Plan Personalizado", Decimal("98.00"))
    assert plan.description == "Plan de entrenamiento y nutrición 100% personalizado"
    assert (challenge.name, challenge.price) == ("Reto Mensual", Decimal("78.00"))
    assert challenge.description == "Reto de transformación de 30 días"
    assert (plan.currency, challenge.currency) == ("USD", "USD")
    assert not plan.payment_link
    assert not challenge.payment_link
    async with system_scope():
        owner = await User.everywhere().get(email="pedro@example.com")
    assert (owner.name, owner.email_verified, owner.status) == ("Pedro Meza", True, "active")
    assert seeded.password is not None
    assert password_matches(seeded.password, owner.password_hash)


async def test_seeding_again_keeps_what_the_owner_changed(db: Database) -> None:
    first = await seed_emilio_born()
    await set_company("emilio-born-pilot", {"name": "Emilio"})
    await set_product(first.company_id, "Reto Mensual", {"price": "80", "name": "Reto"})

    again = await seed_emilio_born()

    assert (again.company_id, again.password, again.created) == (first.company_id, None, False)
    assert (await find_company("emilio-born-pilot")).name == "Emilio"
    assert [row.name for row in await list_products(first.company_id)] == [
        "Plan Personalizado",
        "Reto",
    ]


async def test_two_seeds_at_once_make_one_company(db: Database) -> None:
    seeded = await asyncio.gather(*(seed_emilio_born() for _ in range(3)))

    assert sorted(one.created for one in seeded) == [False, False, True]
    assert sum(one.password is not None for one in seeded) == 1
