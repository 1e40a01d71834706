"""Everything that a row of the ledger can live through, and who moved it: recorded by triggers."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from models.database import Database
from models.desk import Desk
from models.ledger import Ledger
from models.ledger_rows import Part
from models.owner import OwnerDesk
from models.upkeep import UpkeepDesk
from models.values import Channel, InboundMessage, Kind, Sender, Turn
from tests.builders import message, reply

HOST, SECRET = uuid4(), b"s" * 32
TABLES = ("inbox", "turns", "outbox")
NOTHING = "[*]"
"""Before a row is there, and after it has gone."""

_NUMBERS = count(1)
_FUNCTION = re.compile(r'function "?(\w+)"?[ (]')
_RECORD = """
    CREATE TABLE moves (ledger text, before text, after text, stack text);
    CREATE FUNCTION note_move() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE v_stack text;
    BEGIN
      GET DIAGNOSTICS v_stack = PG_CONTEXT;
      INSERT INTO moves VALUES (TG_TABLE_NAME, CASE WHEN TG_OP <> 'INSERT' THEN OLD.state END,
                                CASE WHEN TG_OP <> 'DELETE' THEN NEW.state END, v_stack);
      RETURN NULL;
    END $$;
"""


@dataclass(frozen=True, order=True)
class Move:
    """A row of *ledger* went from one state to another, in the SQL function *maker*."""

    ledger: str
    before: str
    after: str
    maker: str


async def record(look: asyncpg.Connection) -> None:
    """From now on every write of a state is noted."""
    await look.execute(_RECORD)
    for table in TABLES:
        await look.execute(
            f"CREATE TRIGGER note_move AFTER INSERT OR UPDATE OF state OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION note_move()"
        )


async def recorded(look: asyncpg.Connection) -> set[Move]:
    """Every kind of move that was noted."""
    rows = await look.fetch("SELECT DISTINCT * FROM moves")
    return {
        Move(row["ledger"], row["before"] or NOTHING, row["after"] or NOTHING, maker)
        for row in rows
        for maker in _FUNCTION.findall(row["stack"])[1:2]
    }


class Life:
    """The ledger's verbs for customers who are new each time, and all that may happen to them."""

    def __init__(self, db: Database, company: UUID, look: asyncpg.Connection) -> None:
        self.ledger = Ledger(db.call)
        self.desk = Desk(db.call, db.rows)
        self.owner = OwnerDesk(db.call)
        self.upkeep = UpkeepDesk(db.call)
        self.call = db.call
        self.company = company
        self.look = look

    def message(self, phone: str, **more: Any) -> InboundMessage:
        values: dict[str, Any] = {"chat": phone, "channel": Channel.TERMINAL} | more
        return message(self.company, phone=phone, **values)

    async def accept(self, phone: str, reason: str | None = None, **more: Any) -> Any:
        sent = self.message(phone, **more)
        return await self.ledger.accept(sent, reason=reason, pause_seconds=60, over="over")

    async def claim(self, phone: str) -> Turn:
        kept = await self.accept(phone)
        claim = await self.ledger.claim(self.company, kept.customer.id, HOST)
        assert claim.turn is not None
        return claim.turn

    async def answer(self, turn: Turn, *parts: str) -> list[int]:
        _, ids = await self.ledger.answer(turn, reply(*parts), host=HOST, details={})
        return ids

    async def defer(self, turn: Turn) -> None:
        await self.ledger.defer(
            turn, host=HOST, delay=60, reason="no model", notice="ya", notice_minutes=30
        )

    async def begin(self, phone: str) -> Part:
        """The first part that is ready is being sent."""
        parts = await self.ledger.ready(self.company, Channel.TERMINAL, phone)
        outcome = await self.ledger.sending(
            parts[0], host=HOST, fence=0, secret=SECRET, sessions_hash=None
        )
        assert outcome == "go"
        return parts[0]

    async def send(self, phone: str) -> None:
        part = await self.begin(phone)
        await self.ledger.sent(self.company, part.id, f"wa-{part.id}", confirmed=True)

    async def fail(self, phone: str, *, give_up: bool) -> None:
        part = await self.begin(phone)
        await self.ledger.unsent(
            self.company, part.id, secret=SECRET, give_up=give_up, reason="refused"
        )


async def _answered(life: Life, phone: str) -> None:
    await life.answer(await life.claim(phone), "uno", "dos")
    await life.send(phone)
    await life.fail(phone, give_up=False)
    await life.send(phone)


async def _refused(life: Life, phone: str) -> None:
    await life.answer(await life.claim(phone), "uno", "dos")
    await life.fail(phone, give_up=True)


async def _taken_back(life: Life, phone: str) -> None:
    await life.answer(await life.claim(phone), "uno")
    await life.accept(phone)


async def _joined(life: Life, phone: str) -> None:
    turn = await life.claim(phone)
    await life.accept(phone)
    await life.answer(turn, "uno")


async def _silent(life: Life, phone: str) -> None:
    turn = await life.claim(phone)
    await life.ledger.silence(turn, host=HOST, reason="no", handler=None)


async def _paused_meanwhile(life: Life, phone: str) -> None:
    turn = await life.claim(phone)
    await life.accept(phone, sender=Sender.OWNER)
    await life.answer(turn, "uno")


async def _stopped(life: Life, phone: str) -> None:
    for sending in (False, True):
        ids = await life.answer(await life.claim(phone), "uno", "dos")
        if sending:
            await life.begin(phone)
        await life.ledger.stop(life.company, ids[0], "paused: owner")


async def _deferred(life: Life, phone: str) -> None:
    await life.defer(await life.claim(phone))


async def _over_the_limit(life: Life, phone: str) -> None:
    kept = await life.accept(phone)
    who = (life.company, kept.customer.id)
    await life.ledger.limit(*who, seconds=60, over="over", inbox_id=kept.inbox_id)
    await life.ledger.notice(*who, Channel.TERMINAL, phone, "más despacio")
    await life.ledger.admit(*who, kept.inbox_id)


async def _changed(life: Life, phone: str) -> None:
    """A message is taken back while it waits, waits again, is at work, and answered but unsaid."""
    for state in ("pending", "deferred", "taken", "answered"):
        sent = life.message(phone)
        kept = await life.ledger.accept(sent, reason=None, pause_seconds=0)
        if state != "pending":
            claim = await life.ledger.claim(life.company, kept.customer.id, HOST)
            assert claim.turn is not None
            if state == "answered":
                await life.answer(claim.turn, "uno")
            if state == "deferred":
                await life.defer(claim.turn)
        await life.ledger.change(life.message(phone, kind=Kind.REVOKE, target=sent.wa_id))


async def _called(life: Life, phone: str) -> None:
    for taken in (True, False):
        call = life.message(phone, kind=Kind.CALL)
        await life.ledger.accept(call, reason="rings", pause_seconds=0)
        await life.ledger.call_over(life.company, call.wa_id, taken=taken)
    await life.accept(phone, "rings", kind=Kind.CALL)
    await life.desk.rung_out(seconds=-1)


async def _given_back(life: Life, phone: str) -> None:
    """Written while a person had the chat, and answered once the bot has it again."""
    await life.accept(phone, sender=Sender.OWNER)
    await life.accept(phone, channel=Channel.WHATSAPP)
    await life.look.execute("UPDATE customers SET paused_until = NULL WHERE phone = $1", phone)
    await life.call("desk_take_up", 3600.0)


async def _two_rows(life: Life, phone: str, *, working: str, again: str) -> None:
    """One person in two rows, of which some are at work, shows that they are one."""
    lid = str(next(_NUMBERS) + 10**9)
    rows = {"number": {"phone": phone}, "lid": {"phone": f"lid:{lid}", "lid": lid}}
    for name, who in rows.items():
        sent = message(life.company, **who, **({"wa_id": again} if again else {}))
        kept = await life.ledger.accept(sent, reason=None, pause_seconds=0)
        if name in working:
            claim = await life.ledger.claim(life.company, kept.customer.id, HOST)
            if f"{name} answered" in working and claim.turn:
                await life.answer(claim.turn, "uno")
    both = message(life.company, phone=phone, lid=lid)
    await life.ledger.accept(both, reason=None, pause_seconds=0)


async def _one_person(life: Life, phone: str) -> None:
    await _two_rows(life, f"{phone}0", working="number and lid", again="")
    await _two_rows(life, f"{phone}1", working="", again=f"one-{phone}")
    await _two_rows(life, f"{phone}2", working="number answered, lid", again=f"two-{phone}")


async def _another_persons_number(life: Life, phone: str) -> None:
    for _ in range(2):
        await life.accept(phone, lid=str(next(_NUMBERS) + 10**9))


async def _purged(life: Life, phone: str) -> None:
    del phone
    ago = datetime(2020, 1, 1, tzinfo=UTC)
    await life.look.execute("UPDATE inbox SET received_at = $1, remembered = true", ago)
    await life.look.execute("UPDATE turns SET closed_at = $1 WHERE state <> 'open'", ago)
    await life.look.execute("UPDATE outbox SET created_at = $1", ago)
    await life.look.execute("UPDATE outbox SET sent_at = $1, remembered = (state = 'sent')", ago)
    await life.upkeep.purge(90)


EVERYTHING: tuple[Callable[[Life, str], Awaitable[None]], ...] = (
    _answered,
    _refused,
    _taken_back,
    _joined,
    _silent,
    _paused_meanwhile,
    _stopped,
    _deferred,
    _over_the_limit,
    _changed,
    _called,
    _given_back,
    _one_person,
    _another_persons_number,
    _purged,
)


async def live(life: Life) -> None:
    """Let everything happen once, each time to somebody new."""
    for happens in EVERYTHING:
        await happens(life, f"+1305555{next(_NUMBERS):04}")
