"""``lyrox product``: a company's catalogue, the only source of prices and payment links."""

import asyncio

from bot.cli.arguments import Arguments
from bot.cli.companies import named
from bot.cli.output import table
from bot.cli.stores import open_database
from bot.config import Settings, find, load
from models.companies import find_company
from models.products import Product
from models.products import add_product as add
from models.products import list_products as catalogue
from models.products import set_product as change

FACTS = {
    "name": "name",
    "price": "price",
    "currency": "currency",
    "description": "description",
    "link": "payment_link",
    "image": "image",
    "active": "active",
}


def list_products(arguments: Arguments) -> int:
    """Print one line for each product, in the order the persona sees them."""
    products = asyncio.run(_list(load(find(arguments.config)), arguments.company))
    heads = ("NAME", "PRICE", "ACTIVE", "PAYMENT LINK", "ID")
    print(table(heads, map(_row, products)) if products else "no product yet; add one")
    return 0


def add_product(arguments: Arguments) -> int:
    """Add a product to a company's catalogue."""
    product = asyncio.run(_add(load(find(arguments.config)), arguments))
    print(f"added {product.name} ({product.id})")
    if not product.payment_link:
        print("it has no payment link: who wants to buy it is handed over to a person")
    return 0


def set_product(arguments: Arguments) -> int:
    """Change what the arguments name and leave the rest."""
    product = asyncio.run(_set(load(find(arguments.config)), arguments))
    print(f"changed {product.name} ({product.id})")
    return 0


async def _list(settings: Settings, ref: str) -> list[Product]:
    async with open_database(settings):
        company = await find_company(ref)
        return await catalogue(company.id)


async def _add(settings: Settings, arguments: Arguments) -> Product:
    values = named(arguments, FACTS)
    async with open_database(settings):
        company = await find_company(arguments.company)
        return await add(company.id, values)


async def _set(settings: Settings, arguments: Arguments) -> Product:
    values = named(arguments, FACTS)
    async with open_database(settings):
        company = await find_company(arguments.company)
        return await change(company.id, arguments.product, values)


def _row(product: Product) -> tuple[object, ...]:
    price = f"{product.price} {product.currency}"
    return product.name, price, product.active, product.payment_link, product.id
