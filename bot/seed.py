"""The document's pilot company, put in place as often as you like."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from uuid import NAMESPACE_URL, UUID, uuid5

from models.companies import Company
from models.products import Product
from models.tenancy import advisory_lock, system_scope
from models.users import User, find_or_add_user

PILOTS = uuid5(NAMESPACE_URL, "https://schema.lyrox/companies")
SLUG = "emilio-born-pilot"
EMAIL = "pedro@example.com"
PERSONALITY = "Eres Emilio Born, un coach fitness venezolano radicado en Miami."
PRODUCTS = (
    (
        "prod-plan-personalizado",
        "Plan Personalizado",
        "Plan de entrenamiento y nutrición 100% personalizado",
        Decimal("98.00"),
    ),
    (
        "prod-reto-mensual",
        "Reto Mensual",
        "Reto de transformación de 30 días",
        Decimal("78.00"),
    ),
)


@dataclass(frozen=True, slots=True)
class Seeded:
    """What the seed found or made; ``password`` only when the user is new, to be shown once."""

    company_id: UUID
    slug: str
    email: str
    password: str | None
    created: bool


def pilot_id(name: str) -> UUID:
    """The UUID that stands for one of the document's words, such as ``emilio-born-pilot``."""
    return uuid5(PILOTS, name)


async def seed_emilio_born() -> Seeded:
    """Make Pedro Meza, his company and its two products where they are missing.

    What is there is left as it is: the owner may have changed it.
    """
    async with system_scope():
        await advisory_lock("lyrox seed")
        owner, password = await find_or_add_user(EMAIL, "Pedro Meza")
        if password:
            await User.everywhere().filter(id=owner.id).update(email_verified=True)
        company = await Company.everywhere().get_or_none(slug=SLUG)
        if company:
            return Seeded(company.id, SLUG, EMAIL, password, created=False)
        company_id = await _add_company(owner)
        for word, name, description, price in PRODUCTS:
            await _add_product(company_id, word, name, description, price)
    return Seeded(company_id, SLUG, EMAIL, password, created=True)


async def _add_company(owner: User) -> UUID:
    company = await Company.create(
        id=pilot_id(SLUG),
        slug=SLUG,
        owner_id=owner.id,
        name="Emilio Born Coaching",
        industry="Fitness & Wellness",
        brand_personality=PERSONALITY,
        active=True,
        subscription_plan="free",
    )
    return company.id


async def _add_product(
    company_id: UUID, word: str, name: str, description: str, price: Decimal
) -> None:
    await Product.create(
        id=pilot_id(word),
        company_id=company_id,
        name=name,
        description=description,
        price=price,
        currency="USD",
        active=True,
        created_at=datetime.now(UTC),  # Not the transaction's time: the catalogue has an order.
    )
