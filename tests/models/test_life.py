"""The states and moves that docs/architecture.md draws are those of the code, all and no others."""

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from models.database import connect
from tests.builders import admin, make_company
from tests.models.life import NOTHING, TABLES, Life, Move, live, record, recorded

PAGE = Path(__file__).resolve().parents[2] / "docs" / "architecture.md"
_DRAWN = re.compile(r"^ +(\S+) --> (\S+): (.+)$", re.MULTILINE)
_DIAGRAM = re.compile(r"```mermaid\nstateDiagram-v2\n%% (\w+)\n(.*?)```", re.DOTALL)

_UPDATE = re.compile(
    r"UPDATE (inbox|turns|outbox)(?: \w+)? SET (.*?)(?=\bWHERE\b|\bRETURNING\b|;)", re.DOTALL
)
_INSERT = re.compile(r"INSERT INTO (inbox|turns|outbox)(?: \w+)? \((.*?)\)(.*?);", re.DOTALL)
_DELETE = re.compile(r"DELETE FROM (inbox|turns|outbox)\b")
_STATE = re.compile(r"(?<![\w.])state = (CASE .*? END|'\w+')", re.DOTALL)
STARTS = {"inbox": "pending", "turns": "open", "outbox": "ready"}
"""What a row is where nobody says otherwise."""
_WORD = re.compile(r"'(\w+)'")


@pytest.fixture
async def look(database: str) -> asyncpg.Connection:
    connection = await admin(database)
    yield connection
    await connection.close()


@pytest.fixture
async def company(database: str) -> UUID:
    return await make_company(database)


def drawn() -> set[Move]:
    return {
        Move(table, before, after, maker)
        for table, diagram in _DIAGRAM.findall(PAGE.read_text(encoding="utf-8"))
        for before, after, makers in _DRAWN.findall(diagram)
        for maker in makers.split(", ")
    }


def written(maker: str, body: str, states: dict[str, set[str]]) -> Iterator[tuple[str, str, str]]:
    """Table, state and function of each statement in *body* that gives a row a state."""
    body = re.sub(r"--.*", "", body)
    for table, assignments in _UPDATE.findall(body):
        for value in _STATE.findall(assignments):
            yield from ((table, state, maker) for state in _WORD.findall(_results(value)))
    for table, columns, values in _INSERT.findall(body):
        named = "state" in re.split(r"[,\s]+", columns)
        found = set(_WORD.findall(values)) & states[table] if named else {STARTS[table]}
        yield from ((table, state, maker) for state in found)
    yield from ((table, NOTHING, maker) for table in _DELETE.findall(body))


def _results(value: str) -> str:
    """What a CASE may come to, without what it looks at."""
    return " ".join(re.findall(r"(?:THEN|ELSE) ('\w+')", value)) or value


async def _states(look: asyncpg.Connection) -> dict[str, set[str]]:
    rows = await look.fetch(
        "SELECT conrelid::regclass::text AS name, pg_get_constraintdef(oid) AS rule"
        " FROM pg_constraint WHERE contype = 'c' AND conname ~ '_state_check$'"
        " AND conrelid = ANY ($1::regclass[])",
        list(TABLES),
    )
    return {row["name"]: set(_WORD.findall(row["rule"])) for row in rows}


async def test_the_states_that_are_drawn_are_those_that_a_row_may_have(
    look: asyncpg.Connection,
) -> None:
    states: dict[str, set[str]] = {table: set() for table in TABLES}
    for move in drawn():
        states[move.ledger] |= {move.before, move.after} - {NOTHING}

    assert states == await _states(look)


async def test_every_statement_that_gives_a_row_a_state_is_drawn(look: asyncpg.Connection) -> None:
    states = await _states(look)
    functions = await look.fetch(
        "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    )

    found = {each for row in functions for each in written(row["proname"], row["prosrc"], states)}

    assert found == {(move.ledger, move.after, move.maker) for move in drawn()}


async def test_every_move_that_is_drawn_is_made_and_no_other(
    database: str, look: asyncpg.Connection, company: UUID
) -> None:
    await record(look)
    async with connect(database, connections=2) as db:
        await live(Life(db, company, look))

    made = await recorded(look)

    assert made - drawn() == set(), "made and not drawn"
    assert drawn() - made == set(), "drawn and never made"
