"""Small things that tests need: companies in the database, messages, replies."""

from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from models.values import Channel, InboundMessage, Reply, Sender

_numbers = count(1)


async def admin(url: str) -> asyncpg.Connection:
    """A plain connection in the system scope, for arranging and for looking."""
    connection = await asyncpg.connect(url)
    await connection.execute(
        "SELECT set_config('app.system', 'on', false),"
        " set_config('app.company_id', '00000000-0000-0000-0000-000000000000', false)"
    )
    return connection


async def make_company(url: str, *, slug: str | None = None, **columns: Any) -> UUID:
    """A company with an owner and two products: one with a payment link, one without."""
    connection = await admin(url)
    number = next(_numbers)
    company, slug = uuid4(), slug or f"company-{number}"
    try:
        owner = await connection.fetchval(
            "INSERT INTO users (email, password_hash, name) VALUES ($1, 'x', 'Owner') RETURNING id",
            f"owner-{number}-{company}@example.com",
        )
        await connection.execute(
            "INSERT INTO companies (id, owner_id, name, slug, brand_personality)"
            " VALUES ($1, $2, $3, $4, 'Eres una persona amable.')",
            company,
            owner,
            slug.title(),
            slug,
        )
        for name, price, link in (
            ("Plan Personalizado", 98, None),
            ("Reto Mensual", 78, f"https://pay.test/{slug}/reto"),
        ):
            await connection.execute(
                "INSERT INTO products (company_id, name, description, price, payment_link)"
                " VALUES ($1, $2, '', $3, $4)",
                company,
                name,
                price,
                link,
            )
        for column, value in columns.items():
            await connection.execute(
                f"UPDATE companies SET {column} = $2 WHERE id = $1",  # noqa: S608
                company,
                value,
            )
    finally:
        await connection.close()
    return company


def message(company: UUID, text: str = "hola", **values: Any) -> InboundMessage:
    """A customer's text, unless *values* say otherwise."""
    fields: dict[str, Any] = {
        "company_id": company,
        "wa_id": f"wa-{next(_numbers)}",
        "channel": Channel.WHATSAPP,
        "sender": Sender.CUSTOMER,
        "phone": "+13055550100",
        "chat": "13055550100@s.whatsapp.net",
        "text": text,
        "sent_at": datetime.now(UTC),
    }
    return InboundMessage(**{**fields, **values})


def reply(*parts: str, **values: Any) -> Reply:
    """A reply of the persona."""
    return Reply(parts=parts or ("claro",), handler="persona", **values)
