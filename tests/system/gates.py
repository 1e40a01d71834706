"""Steps of the road, held in the middle of their statement until a test decides their end.

Every table of the ledger gets a trigger that waits at a gate; a test closes a gate with an
advisory lock, kills the daemon while its statement waits there, and then either lets the
statement commit, so that nobody heard its answer, or undoes it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg

_INSTALL = """
CREATE FUNCTION test_gate() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE v_what text := NEW.state;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF to_jsonb(NEW) -> 'remembered' IS DISTINCT FROM to_jsonb(OLD) -> 'remembered' THEN
      v_what := 'remembered';
    ELSIF NEW.state = OLD.state THEN
      RETURN NULL;
    END IF;
  END IF;
  PERFORM pg_advisory_xact_lock_shared(hashtext(TG_TABLE_NAME || ' ' || v_what));
  RETURN NULL;
END $$;
CREATE TRIGGER test_gate AFTER INSERT OR UPDATE ON inbox FOR EACH ROW EXECUTE FUNCTION test_gate();
CREATE TRIGGER test_gate AFTER INSERT OR UPDATE ON turns FOR EACH ROW EXECUTE FUNCTION test_gate();
CREATE TRIGGER test_gate AFTER INSERT OR UPDATE ON outbox FOR EACH ROW EXECUTE FUNCTION test_gate();
"""
_HELD = """
SELECT pid FROM pg_locks JOIN pg_database d ON d.oid = database
 WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()
   AND objid = (hashtext($1)::bigint & 4294967295)::oid
"""
_OTHERS = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> $1 AND backend_type = 'client backend'
"""


class Gate:
    """One closed gate."""

    def __init__(self, connection: asyncpg.Connection, look: asyncpg.Connection, at: str) -> None:
        self._connection = connection
        self._look = look
        self._at = at
        self._held: list[int] = []

    async def reached(self) -> None:
        """Wait until a statement waits here."""
        async with asyncio.timeout(20):
            while not (rows := await self._look.fetch(_HELD, self._at)):  # noqa: ASYNC110 - A database.
                await asyncio.sleep(0.002)
        self._held = [row["pid"] for row in rows]

    async def undo(self) -> None:
        """The statement never happened."""
        for pid in self._held:
            await self._look.execute("SELECT pg_terminate_backend($1, 5000)", pid)
        await self.open()

    async def open(self) -> None:
        """The statement goes on to its end, though nobody may be left to hear it."""
        await self._connection.execute("SELECT pg_advisory_unlock(hashtext($1))", self._at)


async def install(look: asyncpg.Connection) -> None:
    """Put the gates, all open, into this database."""
    await look.execute(_INSTALL)


@contextlib.asynccontextmanager
async def closed(url: str, look: asyncpg.Connection, at: str) -> AsyncIterator[Gate]:
    """Close the gate *at*: a table and a state, or ``remembered``."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SELECT pg_advisory_lock(hashtext($1))", at)
        yield Gate(connection, look, at)
    finally:
        await connection.close()


async def alone(look: asyncpg.Connection) -> None:
    """Wait until every statement of a dead daemon has come to its end."""
    async with asyncio.timeout(10):
        while await look.fetchval(_OTHERS, look.get_server_pid()):  # noqa: ASYNC110 - A database.
            await asyncio.sleep(0.005)
