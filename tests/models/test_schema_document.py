"""The migrated database against the document's own DDL: every difference is told and explained."""

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import asyncpg
from tortoise.context import TortoiseContext

from models.database import APP, TABLES
from tests.models.catalog import Fact, facts

MakeDatabase = Callable[..., AbstractAsyncContextManager[str]]
HERE = Path(__file__).resolve().parent
DOCUMENT = HERE / "data" / "document.sql"
SCHEMA_PAGE = HERE.parents[1] / "docs" / "schema.md"
DOCUMENT_TABLES = TABLES[:7]
RENAMED = {"idx_customers_last_interaction": "idx_customers_company_last_interaction"}
WALLED = set(TABLES) - {"hosts"}


async def test_the_document_s_sql_is_all_here() -> None:
    sql = DOCUMENT.read_text(encoding="utf-8")

    assert tuple(re.findall(r"CREATE TABLE (\w+)", sql)) == DOCUMENT_TABLES
    assert len(re.findall(r"CREATE INDEX", sql)) == 25


async def test_every_difference_from_the_document_is_listed_with_its_reason(
    database: str, bare_database: str
) -> None:
    await _create_document(bare_database)
    document = await facts(bare_database)
    ours = await facts(database, DOCUMENT_TABLES)

    changed = {fact.key for fact in document - ours}
    added = {fact.key for fact in ours - document} - changed

    assert changed == _listed("Deviations")
    assert added == _listed("Additions to the document's tables")


async def test_a_changed_column_differs_only_in_its_time_zone(
    database: str, bare_database: str
) -> None:
    await _create_document(bare_database)
    ours = await facts(database, DOCUMENT_TABLES)
    changed = {fact for fact in await facts(bare_database) if fact not in ours}

    assert {_with_time_zone(fact) for fact in changed} <= ours


async def test_every_added_table_is_listed(database: str) -> None:
    tables = {fact.table for fact in await facts(database)}

    assert tables - set(DOCUMENT_TABLES) == _listed("Added tables")


async def test_every_walled_table_forces_row_level_security(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        rows = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relrowsecurity"
            " AND relforcerowsecurity AND relnamespace = 'public'::regnamespace"
        )
    finally:
        await connection.close()
    policies = {(fact.table, fact.name) for fact in await facts(database) if fact.kind == "rule"}

    assert {row["relname"] for row in rows} == WALLED
    assert {(table, "system_scope") for table in WALLED} <= policies
    assert {(table, "company_wall") for table in WALLED - {"users"}} <= policies


async def test_the_models_say_what_the_database_has(database: str, bare_database: str) -> None:
    await _create_models(bare_database)
    ours = await facts(database, TABLES)
    theirs = await facts(bare_database, TABLES)

    assert _columns(theirs) == _columns(ours)
    assert _constraints(theirs) <= {fact for fact in ours if fact.kind == "constraint"}


async def _create_document(url: str) -> None:
    """Run the document's SQL; an index named twice is made once, or renamed (decision 13)."""
    sql = re.sub(r"--.*", "", DOCUMENT.read_text(encoding="utf-8"))
    made: dict[str, str] = {}
    connection = await asyncpg.connect(url)
    try:
        for statement in filter(str.strip, sql.split(";")):
            name, columns = _index(statement)
            if name and made.get(name) == columns:
                continue
            if name and name in made:
                statement = statement.replace(name, RENAMED[name])
            made[name] = columns
            await connection.execute(statement)
    finally:
        await connection.close()


def _index(statement: str) -> tuple[str, str]:
    found = re.match(r"\s*CREATE INDEX (\w+) ON (.*)", statement)
    return (found[1], found[2]) if found else ("", "")


async def _create_models(url: str) -> None:
    async with TortoiseContext() as context:
        await context.init(db_url=url, modules={"models": APP["models"]})
        await context.generate_schemas()


def _columns(found: set[Fact]) -> set[str]:
    """Columns in one spelling; a key that PostgreSQL counts up has no default to compare."""
    columns = set()
    for fact in found:
        if fact.kind == "column":
            told = fact.told.replace("CURRENT_TIMESTAMP", "now()").replace(" identity", "")
            told = re.sub(r" default nextval\(.*", "", told)
            columns.add(f"{fact.table}.{told}")
    return columns


def _constraints(found: set[Fact]) -> set[Fact]:
    return {fact for fact in found if fact.kind == "constraint"}


def _with_time_zone(fact: Fact) -> Fact:
    told = fact.told.replace("without time zone", "with time zone")
    return Fact(fact.kind, fact.table, fact.name, told)


def _listed(heading: str) -> set[str]:
    """The names in backticks in the first cells of the table under *heading*."""
    page = SCHEMA_PAGE.read_text(encoding="utf-8")
    section = re.split(rf"^## {re.escape(heading)}$", page, flags=re.MULTILINE)[1]
    rows = re.findall(r"^\|([^|]*)\|(.*)\|$", section.split("\n## ")[0], re.MULTILINE)
    assert all(reason.strip() for _, reason in rows)
    return {name for cell, _ in rows[2:] for name in re.findall(r"`([^`]+)`", cell)}
