"""What the operator may enter for companies, products and customers."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from models import entries
from models.companies import (
    add_company,
    check_fields,
    find_company,
    list_companies,
    pause_company,
    set_company,
)
from models.customers import Customer, find_customer, pause_customer
from models.database import Database
from models.errors import BadInput
from models.passwords import hash_password, password_matches, temporary_password
from models.products import OPTIONAL, REQUIRED, Product, add_product, list_products, set_product
from models.tenancy import company_scope, system_scope
from models.users import User
from tests.models.conftest import Firm


async def test_a_company_is_added_with_its_owner_and_found_by_slug_or_uuid(db: Database) -> None:
    values = {"name": "Panadería Sol", "brand_personality": "Eres amable.\nVendes pan."}

    company, password = await add_company("panaderia-sol", values, owner_email="Ana@Sol.test")

    assert company.active
    assert (await find_company("panaderia-sol")).id == company.id
    assert (await find_company(str(company.id))).name == "Panadería Sol"
    assert [found.slug for found in await list_companies()] == ["panaderia-sol"]
    async with system_scope():
        owner = await User.everywhere().get(email="ana@sol.test")
    assert password is not None
    assert password_matches(password, owner.password_hash)


async def test_a_known_owner_gets_no_second_password(db: Database) -> None:
    values = {"name": "Uno", "brand_personality": "Amable."}
    await add_company("uno", values, owner_email="ana@sol.test")

    _, password = await add_company("dos", values, owner_email="ana@sol.test")

    assert password is None


async def test_a_company_is_changed_field_by_field(firms: tuple[Firm, Firm]) -> None:
    changed = await set_company("north", {"website": "https://north.test", "active": "no"})
    assert (changed.website, changed.active, changed.name) == ("https://north.test", False, "North")

    cleared = await set_company(str(firms[0].id), {"website": ""})
    assert cleared.website is None

    await pause_company(firms[0].id, True)
    assert (await find_company("north")).paused
    assert not (await find_company("south")).paused


async def test_a_product_is_added_changed_and_listed_in_order(firms: tuple[Firm, Firm]) -> None:
    north, south = firms
    added = await add_product(north.id, {"name": "Reto", "price": "78", "currency": "usd"})
    assert (added.price, added.currency, added.active) == (Decimal("78.00"), "USD", True)

    link = "https://buy.stripe.com/3cs5lF2a1b"
    changed = await set_product(north.id, "Reto", {"payment_link": link, "price": "80.50"})
    assert (changed.payment_link, changed.price) == (link, Decimal("80.50"))

    await set_product(north.id, str(added.id), {"payment_link": "", "name": "Reto 30"})
    assert [product.name for product in await list_products(north.id)] == ["Plan", "Reto 30"]
    assert [product.name for product in await list_products(south.id)] == ["Plan"]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"name": "Reto"}, "price: is missing"),
        ({"name": "Reto", "price": "0"}, "above 0"),
        ({"name": "Reto", "price": "-5"}, "above 0"),
        ({"name": "Reto", "price": "NaN"}, "above 0"),
        ({"name": "Reto", "price": "1e12"}, "above 0"),
        ({"name": "Reto", "price": "9,99"}, "not an amount"),
        ({"name": "Reto", "price": "9.999"}, "two decimals"),
        ({"name": "Reto", "price": "9", "currency": "DOLLAR"}, "three letters"),
        ({"name": "Reto", "price": "9", "payment_link": "buy.stripe.com/abc"}, "https://"),
        ({"name": "Reto", "price": "9", "payment_link": "javascript://alert"}, "https://"),
        ({"name": "Reto", "price": "9", "payment_link": "https://[oops"}, "not a link"),
        ({"name": "Reto", "price": "9", "payment_link": "https://buy.stripe.com/xxxxx"}, "example"),
        ({"name": "Reto", "price": "9", "payment_link": "https://buy.stripe.com/yyyyy"}, "example"),
        ({"name": "Reto", "price": "9", "payment_link": "https://example.com/pay"}, "example"),
        ({"name": "Reto", "price": "9", "description": "[PENDING]"}, "placeholder"),
        ({"name": "Reto", "price": "9", "description": "Placeholder - later"}, "placeholder"),
        ({"name": "Reto", "price": "9", "description": "Llama al +1305555XXXX"}, "phone number"),
        ({"name": "Reto", "price": "9", "description": "\x00"}, "control characters"),
        ({"name": "R" * 256, "price": "9"}, "at most 255"),
        ({"name": "dos\nlíneas", "price": "9"}, "one line"),
        ({"name": " ", "price": "9"}, "empty"),
        ({"name": "", "price": "9"}, "empty"),
        ({"name": "Reto", "price": "9", "colour": "red"}, "no such field"),
    ],
)
def test_a_wrong_product_is_refused_in_one_sentence(values: dict[str, str], told: str) -> None:
    with pytest.raises(BadInput, match=told) as raised:
        check_fields(values, REQUIRED, OPTIONAL, complete=True)

    assert "\n" not in str(raised.value)


def test_ordinary_text_is_not_taken_for_a_placeholder() -> None:
    text = "Precio [1] en [la web](https://north.test). Llámame al +13055550100, 10 x 2 sesiones."

    assert entries.text("description", text) == text


async def test_a_refused_product_leaves_the_catalogue_as_it_was(firms: tuple[Firm, Firm]) -> None:
    for values in ({"name": "Plan", "price": "1"}, {"name": "Reto", "price": "0"}):
        with pytest.raises(BadInput):
            await add_product(firms[0].id, values)

    assert [product.name for product in await list_products(firms[0].id)] == ["Plan"]


@pytest.mark.parametrize("slug", ["Mayus", "con espacio", "-x", "x--y", "ñ", "", "a" * 64])
def test_a_wrong_slug_is_refused(slug: str) -> None:
    with pytest.raises(BadInput, match="slug"):
        entries.slug("slug", slug)


async def test_wrong_companies_products_and_customers_are_named(firms: tuple[Firm, Firm]) -> None:
    north, south = firms
    values = {"name": "X", "brand_personality": "Y"}
    for attempt, told in (
        (find_company("nowhere"), "lyrox company list"),
        (find_company(str(uuid4())), "lyrox company list"),
        (add_company("north", values, owner_email="a@b.test"), "taken"),
        (add_company("No Slug", values, owner_email="a@b.test"), "slug"),
        (add_company("other", values, owner_email="no address"), "e-mail"),
        (set_company("north", {}), "nothing to set"),
        (set_product(north.id, "Nada", {"price": "1"}), "no product"),
        (set_product(north.id, str(south.product), {"price": "1"}), "no product"),
        (find_customer(north.id, str(south.customer)), "no customer"),
        (find_customer(north.id, "+1"), "no customer"),
    ):
        with pytest.raises(BadInput, match=told):
            await attempt


async def test_a_customer_is_found_by_uuid_or_exact_phone_and_paused(
    firms: tuple[Firm, Firm],
) -> None:
    north, _ = firms
    assert (await find_customer(north.id, "+13055550100")).id == north.customer
    assert (await find_customer(north.id, str(north.customer))).phone == "+13055550100"

    until = datetime.now(UTC) + timedelta(minutes=60)
    await pause_customer(north.id, north.customer, until=until)
    paused = await find_customer(north.id, "+13055550100")
    assert (paused.paused_until, paused.pause_reason) == (until, "command")

    await pause_customer(north.id, north.customer, until=None)
    resumed = await find_customer(north.id, "+13055550100")
    assert (resumed.paused_until, resumed.pause_reason) == (None, None)


async def test_updated_at_changes_on_every_update(firms: tuple[Firm, Firm]) -> None:
    north, _ = firms
    async with company_scope(north.id):
        for model, row in ((Product, north.product), (Customer, north.customer)):
            seen = {(await model.of(north.id).get(id=row)).updated_at}
            for _ in range(2):
                await model.of(north.id).filter(id=row).update(name="X")
                seen.add((await model.of(north.id).get(id=row)).updated_at)
            assert len(seen) == 3


async def test_customers_keep_the_document_s_types(firms: tuple[Firm, Firm]) -> None:
    north, _ = firms
    async with company_scope(north.id):
        await Customer.of(north.id).update(tags=["hot-lead"], metadata={"fuente": "niño"})
        customer = await Customer.of(north.id).filter(tags__contains=["hot-lead"]).get()

    assert (customer.tags, customer.metadata) == (["hot-lead"], {"fuente": "niño"})
    assert (customer.lifetime_value, customer.stage) == (Decimal("0.00"), "lead")


def test_a_password_s_hash_names_its_parameters_and_tells_nothing_else() -> None:
    password = temporary_password()
    stored = hash_password(password)

    assert stored.startswith("scrypt:ln=15,r=8,p=1$")
    assert stored.count("$") == 2
    assert len(stored) <= 255
    assert hash_password(password) != stored
    assert password_matches(password, stored)
    assert not password_matches(password + "x", stored)
    assert not password_matches(password, "-")
    assert not password_matches(password, "scrypt:ln=15$zz$zz")
