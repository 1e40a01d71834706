"""Databases on the shared test servers, for pytest and for programs that run the real thing."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from models.errors import Unavailable

REPOSITORY = Path(__file__).resolve().parent.parent
ROOT = REPOSITORY / "var" / "test"
SLOTS = 64  # As many as our Valkey has databases.
TEMPLATES_KEPT = 8


@contextmanager
def slot_of_ours() -> Iterator[int]:
    """A number no other run holds at this time; the kernel frees it with the process."""
    folder = ROOT / "slots"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, SLOTS):
        with (folder / str(number)).open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield number
            return
    raise Unavailable(f"all {SLOTS} slots under {folder} are taken: end some test runs")


async def elsewhere(stores: dict[str, str]) -> dict[str, str]:
    """The same servers, or instead of ours the PostgreSQL that ``LYROX_TEST_POSTGRES`` names.

    That is a superuser's URL; the server must let the role ``app`` in without a password.
    """
    admin = os.environ.get("LYROX_TEST_POSTGRES")
    if not admin:
        return stores
    connection = await asyncpg.connect(admin)
    try:
        await connection.execute("SELECT pg_advisory_lock(hashtext('lyrox test role'))")
        if not await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = 'app'"):
            await connection.execute("CREATE ROLE app LOGIN")
    finally:
        await connection.close()
    place = urlsplit(admin)
    ours = place._replace(netloc=f"app@{place.netloc.rpartition('@')[2]}").geturl()
    return stores | {"admin": admin, "postgres": ours}


async def template(stores: dict[str, str]) -> str:
    """The name of a migrated database to clone; made once for each state of ``models/``."""
    name = f"template_{_fingerprint(REPOSITORY / 'models')}"
    connection = await asyncpg.connect(stores["admin"])
    try:
        await connection.execute("SELECT pg_advisory_lock(hashtext('lyrox test template'))")
        known = "SELECT true FROM pg_database WHERE datname = $1"
        if not await connection.fetchval(known, name):
            await _make_template(connection, stores, name)
    finally:
        await connection.close()
    return name


async def create(stores: dict[str, str], name: str, template: str) -> str:
    """A database of the role ``app``; its URL."""
    await _command(stores["admin"], f"CREATE DATABASE {name} OWNER app TEMPLATE {template}")
    return _url(stores, name)


async def drop(stores: dict[str, str], name: str) -> None:
    """Away with it, whoever is connected."""
    await _command(stores["admin"], f"DROP DATABASE {name} WITH (FORCE)")


async def drop_leftovers(stores: dict[str, str], prefix: str) -> None:
    """What a killed run has left behind."""
    connection = await asyncpg.connect(stores["admin"])
    try:
        query = "SELECT datname FROM pg_database WHERE starts_with(datname, $1)"
        for row in await connection.fetch(query, prefix):
            await connection.execute(f"DROP DATABASE IF EXISTS {row['datname']} WITH (FORCE)")
    finally:
        await connection.close()


async def _make_template(
    connection: "asyncpg.Connection[asyncpg.Record]", stores: dict[str, str], name: str
) -> None:
    from models.database import migrate

    draft = f"{name}_draft"
    await connection.execute(f"DROP DATABASE IF EXISTS {draft} WITH (FORCE)")
    await connection.execute(f"CREATE DATABASE {draft} OWNER app TEMPLATE template0")
    await migrate(_url(stores, draft))
    await connection.execute(f"ALTER DATABASE {draft} WITH ALLOW_CONNECTIONS false")
    await connection.execute(f"ALTER DATABASE {draft} RENAME TO {name}")
    old = await connection.fetch(
        "SELECT datname FROM pg_database WHERE datname ~ '^template_.{16}$'"
        " ORDER BY oid DESC OFFSET $1",
        TEMPLATES_KEPT,
    )
    for row in old:
        await connection.execute(f"DROP DATABASE IF EXISTS {row['datname']}")


async def _command(admin: str, sql: str) -> None:
    connection = await asyncpg.connect(admin)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def _url(stores: dict[str, str], name: str) -> str:
    return urlsplit(stores["postgres"])._replace(path=f"/{name}").geturl()


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted([*folder.rglob("*.py"), *folder.rglob("*.sql")]):
        digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]
