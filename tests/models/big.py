"""A database of the size that the promises are made for, and the plans of what runs in it."""

import re
from collections.abc import Sequence
from uuid import UUID

import asyncpg

BIG_TABLES = (
    "inbox",
    "outbox",
    "turns",
    "customers",
    "agent_logs",
    "deliveries",
    "customer_merges",
)
MOST_ROWS_FILTERED = 1000

# 20 companies, 10,000 customers; 200,000 turns, 400,000 messages and as many bubbles.
LOAD = """
SET session_replication_role = replica;  -- Neither triggers nor foreign keys slow the load.
SET synchronous_commit = off;
SET maintenance_work_mem = '128MB';
CREATE FUNCTION pg_temp.key(kind text, number bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
  RETURN (kind || lpad(to_hex(number), 31, '0'))::uuid;

INSERT INTO users (id, email, password_hash) VALUES (pg_temp.key('0', 0), 'big@test.invalid', '-');
INSERT INTO companies (id, owner_id, name, slug, brand_personality)
SELECT pg_temp.key('1', n), pg_temp.key('0', 0), 'Company ' || n, 'company-' || n, 'Amable.'
  FROM generate_series(1, 20) n;
INSERT INTO products (company_id, name, price)
SELECT pg_temp.key('1', n), 'Plan', 98 FROM generate_series(1, 20) n;
INSERT INTO session_leases (company_id, fence)
SELECT pg_temp.key('1', n), 1 FROM generate_series(1, 20) n;
INSERT INTO customers (id, company_id, phone, whatsapp_lid, last_interaction)
SELECT pg_temp.key('2', n), pg_temp.key('1', n % 20 + 1), '+1305' || n, '9' || n,
       now() - make_interval(secs => n)
  FROM generate_series(0, 9999) n;

-- The newest hundred of everything is still under way.
INSERT INTO turns (id, company_id, customer_id, channel, chat, state, host_id, opened_at)
SELECT pg_temp.key('3', n), pg_temp.key('1', n % 20 + 1),
       pg_temp.key('2', n % 10000), 'whatsapp', 'chat-' || n % 10000,
       CASE WHEN n < 100 THEN 'open' ELSE 'answered' END,
       pg_temp.key('4', n % 4), now() - make_interval(secs => n)
  FROM generate_series(0, 199999) n;
INSERT INTO inbox (company_id, customer_id, wa_id, channel, sender, chat, kind, content, sent_at,
                   received_at, state, turn_id, remembered)
SELECT pg_temp.key('1', n % 20 + 1), pg_temp.key('2', n % 10000), 'in-' || n,
       'whatsapp', 'customer', 'chat-' || n % 10000, 'text', 'Hola, me interesa el plan',
       now() - make_interval(secs => n), now() - make_interval(secs => n),
       CASE WHEN n < 100 THEN 'taken' WHEN n BETWEEN 200 AND 299 THEN 'pending' ELSE 'answered' END,
       CASE WHEN n BETWEEN 200 AND 299 THEN NULL ELSE pg_temp.key('3', n % 200000) END, n >= 300
  FROM generate_series(399999, 0, -1) n;
INSERT INTO outbox (company_id, customer_id, turn_id, part, kind, channel, chat, content, state,
                    wa_id, message_secret, fence, created_at, sent_at, remembered)
SELECT pg_temp.key('1', n % 20 + 1), pg_temp.key('2', n % 10000),
       CASE WHEN n % 200000 >= 100 THEN pg_temp.key('3', n % 200000) END, n / 200000 + 1,
       CASE WHEN n % 200000 >= 100 THEN 'reply' ELSE 'notice' END, 'whatsapp',
       'chat-' || n % 10000, 'El plan cuesta 98 USD',
       CASE WHEN n BETWEEN 400 AND 449 THEN 'ready' WHEN n BETWEEN 450 AND 499 THEN 'sending'
            ELSE 'sent' END,
       'out-' || n, '\\x00', 0, now() - make_interval(secs => n),
       now() - make_interval(secs => n), n >= 600
  FROM generate_series(399999, 0, -1) n;
INSERT INTO agent_logs (company_id, agent_type, event_type, event_data, customer_id, created_at)
SELECT pg_temp.key('1', n % 20 + 1), 'customer-acquisition', 'message_sent',
       jsonb_build_object('outboxId', 400000 - n), pg_temp.key('2', n % 10000),
       now() - make_interval(secs => n)
  FROM generate_series(0, 99999) n;
-- An integrator whose server is away, and one whose events are published as they come.
INSERT INTO alert_settings (company_id, events, events_since, inbox_position, log_position)
SELECT pg_temp.key('1', 1), 'https://crm.test', now() - interval '1 day', 400000 - 120,
       now() - interval '2 minutes';
INSERT INTO deliveries (company_id, channel, type, source, payload, created_at, next_try_at)
SELECT pg_temp.key('1', n % 2 + 1), 'events', 'message.received', 'inbox-' || n, '{}', now(),
       now() + interval '1 day'
  FROM generate_series(0, 99999) n;
-- Ten thousand have been somebody else before.
INSERT INTO customer_merges (old_id, company_id, new_id, mongo_done)
SELECT pg_temp.key('5', n), pg_temp.key('1', n % 20 + 1), pg_temp.key('2', n), n >= 10
  FROM generate_series(0, 9999) n;
INSERT INTO hosts (id, name, role)
SELECT pg_temp.key('4', n), 'host', 'daemon' FROM generate_series(0, 3) n;
"""
HEAVY_INDEXES = """
    SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS made FROM pg_index
     WHERE indrelid = ANY ('{inbox, outbox, turns}'::regclass[])
       AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid)
"""


COMPANY = UUID("1" + f"{1:031x}")
HOST = UUID("4" + f"{0:031x}")


def customer(number: int) -> UUID:
    """A customer, of COMPANY when *number* is a multiple of 20."""
    return UUID("2" + f"{number:031x}")


def former(number: int) -> UUID:
    """The id that a customer had before a merge."""
    return UUID("5" + f"{number:031x}")


def turn(number: int) -> UUID:
    """A turn, of COMPANY when *number* is a multiple of 20; open below 100."""
    return UUID("3" + f"{number:031x}")


def row(number: int) -> int:
    """The id of an inbox or outbox row; the smaller *number*, the newer the row."""
    return 400_000 - number


async def load(admin: asyncpg.Connection) -> None:
    """Fill a migrated, empty database; *admin* is a superuser's connection to it."""
    indexes = await admin.fetch(HEAVY_INDEXES)
    for index in indexes:
        await admin.execute(f"DROP INDEX {index['name']}")
    await admin.execute(LOAD)
    for index in indexes:
        await admin.execute(index["made"])
    await admin.execute("RESET session_replication_role; ANALYZE")


async def plans(
    admin: asyncpg.Connection, function: str, args: Sequence[object], *, generic: bool
) -> list[str]:
    """The executed plans of all statements inside one call, which is then undone."""
    told: list[str] = []

    def note(_: object, message: asyncpg.PostgresLogMessage) -> None:
        told.append(str(message))

    mode = "force_generic_plan" if generic else "force_custom_plan"
    places = ", ".join(f"${number}" for number in range(1, len(args) + 1))
    admin.add_log_listener(note)
    undone = admin.transaction()
    await undone.start()
    try:
        await admin.execute("SELECT set_config('app.company_id', $1, true)", str(COMPANY))
        await admin.execute(f"{EXPLAINED} SET LOCAL plan_cache_mode = {mode}; SET LOCAL ROLE app")
        await admin.fetch(f"SELECT * FROM {function}({places})", *args)  # noqa: S608 - Our names.
    finally:
        await undone.rollback()
        admin.remove_log_listener(note)
    return [text for text in told if "Query Text:" in text]


EXPLAINED = """
    LOAD 'auto_explain';
    SET LOCAL auto_explain.log_min_duration = 0;
    SET LOCAL auto_explain.log_nested_statements = on;
    SET LOCAL auto_explain.log_analyze = on;
    SET LOCAL auto_explain.log_timing = off;
    SET LOCAL client_min_messages = log;
"""


def faults(plan: str) -> list[str]:
    """What a plan does that grows with the ledger."""
    found = re.findall(rf"Seq Scan on (?:public\.)?(?:{'|'.join(BIG_TABLES)})\b.*", plan)
    found = [scan for scan in found if "(never executed)" not in scan]
    loops = 1
    for line in plan.splitlines():
        if counted := re.search(r" loops=(\d+)\)", line):
            loops = int(counted[1])
        removed = re.search(r"Rows Removed by [\w ]+: (\d+)", line)  # On the average of a loop.
        if removed and int(removed[1]) * loops > MOST_ROWS_FILTERED:
            found.append(f"{int(removed[1]) * loops} rows read in vain")
    return found
