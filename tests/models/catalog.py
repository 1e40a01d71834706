"""What a database's catalogs say of its tables, as facts that can be compared."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import asyncpg

COLUMNS = """
    SELECT c.relname AS table, a.attname AS name,
           concat_ws(' ', format_type(a.atttypid, a.atttypmod),
                     CASE WHEN a.attnotnull THEN 'not null' END,
                     CASE a.attidentity WHEN 'a' THEN 'identity' END,
                     'default ' || pg_get_expr(d.adbin, d.adrelid)) AS told
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
       AND a.attnum > 0 AND NOT a.attisdropped
"""
CONSTRAINTS = """
    SELECT conrelid::regclass::text AS table, conname AS name, pg_get_constraintdef(oid) AS told
      FROM pg_constraint
     WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'u', 'c', 'f')
"""
INDEXES = """
    SELECT indrelid::regclass::text AS table, indexrelid::regclass::text AS name,
           pg_get_indexdef(indexrelid) AS told
      FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
     WHERE c.relnamespace = 'public'::regnamespace
       AND NOT EXISTS (SELECT 1 FROM pg_constraint
                        WHERE conindid = indexrelid AND contype IN ('p', 'u'))
"""
RULES = """
    SELECT polrelid::regclass::text AS table, polname AS name, 'policy' AS told FROM pg_policy
    UNION ALL
    SELECT tgrelid::regclass::text, tgname, 'trigger' FROM pg_trigger WHERE NOT tgisinternal
"""


@dataclass(frozen=True, order=True)
class Fact:
    """One thing a catalog says; constraints are alike whatever their name."""

    kind: str
    table: str
    name: str = field(compare=False)
    told: str

    @property
    def key(self) -> str:
        """How docs/schema.md names it."""
        return f"{self.table}.{self.name}" if self.kind == "column" else self.name


async def facts(url: str, tables: Iterable[str] | None = None) -> set[Fact]:
    """All facts of a database, or those of some tables."""
    wanted = None if tables is None else set(tables)
    found: set[Fact] = set()
    connection = await asyncpg.connect(url)
    try:
        for kind, query in (
            ("column", COLUMNS),
            ("constraint", CONSTRAINTS),
            ("index", INDEXES),
            ("rule", RULES),
        ):
            for table, name, told in await connection.fetch(query):
                if wanted is None or table in wanted:
                    # A column's name is part of what it says; a constraint's is not.
                    said = told if kind == "constraint" else f"{name} {told}"
                    found.add(Fact(kind, table, name, said))
    finally:
        await connection.close()
    return found
