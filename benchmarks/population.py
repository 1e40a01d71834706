"""Who lives in a benchmark's stores: companies with a catalogue, customers with some history."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID, uuid5

import asyncpg
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from bot.stores import Urls
from models.conversations import open_conversations
from models.database import migrate
from models.values import AiMetadata, CustomerRef, Line, Sender

COMPANIES = 20
SPARE = 60
"""Customers beside those of the measured load, for warming up."""
LONE = 10
"""Customers who write alone, and were never heard before."""
HISTORY_LINES = 6

_SPACE = UUID("0b5c2f3e-5f0e-4a6c-9d55-3f2f4c1d7a10")
_TEXTS = (
    "Hola, vi su página. ¿Qué incluye el plan?",
    "Incluye entrenamiento y nutrición a tu medida, con seguimiento cada semana. ¿Entrenas ya?",
    "Un poco, tres veces por semana, pero me cuesta comer bien",
    "Eso es lo más común. Con el plan tienes un menú sencillo que se adapta a tu semana.",
    "¿Y cuánto tiempo dura?",
    "Un mes, y puedes renovarlo cuando quieras. ¿Te cuento cómo empezamos?",
)
_AI = AiMetadata("bench-1", 960, 1000, "product_inquiry", "positive", 0.9)


@dataclass(frozen=True, slots=True)
class Population:
    """*customers* people, dealt to the companies in turn; all ids follow from their numbers."""

    customers: int

    @property
    def companies(self) -> list[UUID]:
        """The companies' ids."""
        return [uuid5(_SPACE, f"company {number}") for number in range(COMPANIES)]

    @property
    def everybody(self) -> int:
        """All of them."""
        return self.customers + SPARE + LONE

    @property
    def spare(self) -> range:
        """Those for warming up."""
        return range(self.customers, self.customers + SPARE)

    @property
    def lone(self) -> range:
        """Those who write alone."""
        return range(self.customers + SPARE, self.everybody)

    def company_of(self, number: int) -> UUID:
        """Whose customer a number is."""
        return uuid5(_SPACE, f"company {number % COMPANIES}")

    def customer(self, number: int) -> UUID:
        """A customer's id."""
        return uuid5(_SPACE, f"customer {number}")


def phone_of(number: int) -> str:
    """The phone value of a customer; the digits name the chat."""
    return f"+1305{number:07d}"


@asynccontextmanager
async def settled(
    population: Population, servers: dict[str, str], places: dict[str, int]
) -> AsyncIterator[dict[str, Urls]]:
    """For each name in *places* a PostgreSQL and a Mongo database with the same people in them.

    Beside them an empty Redis database: the number that belongs to the name.
    """
    names = list(places)
    admin = await asyncpg.connect(servers["admin"])
    async with AsyncMongoClient[dict[str, object]](servers["mongod"]) as mongo:
        try:
            urls = {name: urls_at(servers, name, slot) for name, slot in places.items()}
            await _make_first(admin, mongo, population, urls[names[0]], names[0])
            for name in names[1:]:
                await _copy(admin, mongo, names[0], name)
            for one in urls.values():
                await forget(one.redis)
            yield urls
        finally:
            for name in names:
                await drop(admin, mongo, name)
            await admin.close()


async def _make_first(
    admin: asyncpg.Connection,
    mongo: AsyncMongoClient[dict[str, object]],
    population: Population,
    urls: Urls,
    name: str,
) -> None:
    await drop(admin, mongo, name)
    await admin.execute(f"CREATE DATABASE {name} OWNER app TEMPLATE template0")
    await migrate(urls.postgres)
    await _write_rows(population, urls.postgres)
    await _write_histories(population, urls.mongo, name)


async def _copy(
    admin: asyncpg.Connection, mongo: AsyncMongoClient[dict[str, object]], source: str, name: str
) -> None:
    await drop(admin, mongo, name)
    await admin.execute(f"CREATE DATABASE {name} OWNER app TEMPLATE {source}")
    copying = await mongo[source].conversations.aggregate(
        [{"$out": {"db": name, "coll": "conversations"}}]
    )
    await copying.to_list()


async def drop(
    admin: asyncpg.Connection, mongo: AsyncMongoClient[dict[str, object]], name: str
) -> None:
    """Drop both databases of that name."""
    await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    await mongo.drop_database(name)


async def forget(url: str) -> None:
    """Empty a Redis database."""
    redis = Redis.from_url(url)
    await redis.flushdb()
    await redis.aclose()


async def in_system_scope(url: str) -> asyncpg.Connection:
    """A connection that sees every company."""
    connection = await asyncpg.connect(url)
    await connection.execute(
        "SELECT set_config('app.system', 'on', false),"
        " set_config('app.company_id', '00000000-0000-0000-0000-000000000000', false)"
    )
    return connection


async def write_companies(connection: asyncpg.Connection, companies: Sequence[UUID]) -> None:
    """Companies of one owner, each with two products."""
    owner = await connection.fetchval(
        "INSERT INTO users (email, password_hash, name)"
        " VALUES ('owner@example.com', 'x', 'Owner') RETURNING id"
    )
    await connection.executemany(
        "INSERT INTO companies (id, owner_id, name, slug, brand_personality)"
        " VALUES ($1, $2, $3, $4, $5)",
        [(one, owner, f"Estudio {n}", f"estudio-{n}", _VOICE) for n, one in enumerate(companies)],
    )
    await connection.executemany(
        "INSERT INTO products (company_id, name, description, price, payment_link)"
        " VALUES ($1, $2, $3, $4, $5)",
        [(one, *product) for one in companies for product in _PRODUCTS],
    )


async def _write_rows(population: Population, url: str) -> None:
    connection = await in_system_scope(url)
    await write_companies(connection, population.companies)
    await connection.executemany(
        "INSERT INTO customers (id, company_id, phone, name) VALUES ($1, $2, $3, $4)",
        [
            (population.customer(n), population.company_of(n), phone_of(n), f"Cliente {n}")
            for n in range(population.everybody)
        ],
    )
    await connection.execute("ANALYZE")
    await connection.close()


async def _write_histories(population: Population, url: str, name: str) -> None:
    at_once = asyncio.Semaphore(32)
    began = datetime.now(UTC) - timedelta(days=1)
    lines = [
        Line(f"old-{n}", began + timedelta(minutes=n), *_spoken(n)) for n in range(HISTORY_LINES)
    ]
    async with open_conversations(url, name) as conversations:

        async def write(number: int) -> None:
            customer = CustomerRef(
                population.customer(number), phone_of(number), f"Cliente {number}"
            )
            async with at_once:
                await conversations.append(population.company_of(number), customer, lines)

        await asyncio.gather(*map(write, range(population.everybody)))


def _spoken(number: int) -> tuple[Sender, str, AiMetadata | None]:
    if number % 2:
        return Sender.AGENT, _TEXTS[number], _AI
    return Sender.CUSTOMER, _TEXTS[number], None


def urls_at(servers: dict[str, str], name: str, slot: int) -> Urls:
    """Where the databases *name* and the Redis database *slot* are."""
    postgres = urlsplit(servers["postgres"])
    return Urls(
        postgres=f"{postgres.scheme}://app@/{name}?{postgres.query}",
        redis=f"unix://{urlsplit(servers['valkey']).path}?db={slot}",
        mongo=servers["mongod"],
    )


_VOICE = (
    "Eres la voz de un estudio de entrenamiento: cercana, clara y paciente. Escuchas primero,"
    " preguntas por la meta de la persona y ofreces el plan que le sirve, sin presionar."
)
_PRODUCTS = (
    (
        "Plan personal",
        "Plan de entrenamiento y nutrición 100% personalizado",
        98,
        "https://pay.test/plan",
    ),
    ("Reto de 30 días", "Reto de transformación de 30 días", 78, "https://pay.test/reto"),
)
