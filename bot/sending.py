"""A wire's sends: the last look, one in flight, and the end of each on record, whatever happens."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any, TypeVar
from uuid import UUID

from bot.insistence import insist
from bot.metrics import Metrics
from bot.wire import (
    NotSent,
    Outgoing,
    OwnerHand,
    TakenOver,
    Unconfirmed,
    Unsettled,
    Wire,
    new_secret,
)
from models.errors import GiveUp, LyroxError, RetryLater
from models.ledger import Ledger
from models.ledger_rows import Part

log = logging.getLogger(__name__)

T = TypeVar("T")

CLOSE_SECONDS = 3.0
"""A stop of all sessions takes ten at most, and closing a dead line alone takes the client five."""

SIDE_BY_SIDE = 5
"""Parts of one wire that may be under way: one in flight, the others ready for when it has left.

More did not carry more (ADR 020).
"""

LOOK_AGAIN_SECONDS = 0.2
"""A last look that is older than this does not count: a pause holds within 300 ms."""

Left = tuple[str | None, bool]
"""The id a part left under, and whether that is certain; (None, False): it did not leave."""

NOT_LEFT: Left = (None, False)


class _Unsaid(LyroxError):
    """A part that does not leave, and the word for it."""


class Sending:
    """Hands parts to one wire, which sends one at a time; meanwhile the next are made ready.

    So at most `SIDE_BY_SIDE` are `sending`; those that wait for the wire are not in its hands yet.
    *fence* proves that the session is still ours; *oldest_seconds* is the age at which a part is
    not said any more.
    """

    def __init__(
        self,
        wire: Wire,
        ledger: Ledger,
        metrics: Metrics,
        *,
        host: UUID,
        fence: int,
        oldest_seconds: float,
    ) -> None:
        self._wire = wire
        self._ledger = ledger
        self._metrics = metrics
        self._host = host
        self._fence = fence
        self._oldest_seconds = oldest_seconds
        self._places = asyncio.Semaphore(SIDE_BY_SIDE)
        self._with_wire: set[bytes] = set()  # The secrets of tries whose end is still to come.
        self.closed = False

    @property
    def next_waits(self) -> bool:
        """Whether a part waits, or has just been let in, for the place of one that has left."""
        return self._places.locked()

    async def close(self) -> None:
        """Begin nothing more; returns when nothing is about to be handed to the wire.

        What still holds the wire after `CLOSE_SECONDS` is in the client's hands already.
        """
        self.closed = True
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS), AsyncExitStack() as stack:
                for _ in range(SIDE_BY_SIDE):
                    await stack.enter_async_context(self._places)

    async def send(
        self,
        part: Part,
        sessions_hash: str | None,
        picture: bytes | None = None,
        begun: Callable[[], object] = lambda: None,
    ) -> Left:
        """Let *part* leave, if it still may; raises RetryLater when it certainly did not.

        *begun* is called when the ledger has let it go for the first time.
        """
        secret, hand = new_secret(), self._wire.owner_hand(part.chat)
        until = 0.0

        def asked() -> None:
            nonlocal until
            until = time.monotonic() + LOOK_AGAIN_SECONDS

        async def look() -> None:
            self._must_be_open()
            outcome = await self._last_look(part, hand, secret, sessions_hash, asked)
            if outcome != "go":
                raise _Unsaid(outcome)

        async def look_again() -> None:
            await self._take_back(part.id, secret, "another send was in the way")
            if secret in self._with_wire:
                await look()
            if secret not in self._with_wire:  # The wire has given it up: nothing may leave.
                await self._take_back(part.id, secret, "its turn did not come in time")
                raise _Unsaid("late")

        async with self._places:
            try:
                await look()
                begun()
                outgoing = Outgoing(
                    *(part.chat, part.text, secret, hand, picture, part.quote, until, look_again)
                )
                return await self._hand_over(part, outgoing, sessions_hash)
            except _Unsaid as end:
                self._metrics.unsent(str(end))
                return NOT_LEFT

    async def settle(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Decide sends whose end nobody saw, as `Ledger.unsettled` tells them."""
        if not rows:
            return
        company = self._wire.company_id
        questions = [
            Unsettled(row["id"], row["chat"], bytes.fromhex(row["secret"]), row["sessions_hash"])
            for row in rows
        ]
        secret_of = {question.outbox_id: question.secret for question in questions}
        for found in await self._wire.settle(questions):
            log.info("send settled", extra={"outbox": found.outbox_id, "sent": found.sent})
            self._metrics.settled(sent=found.sent)
            if found.sent:
                await self._ledger.sent(company, found.outbox_id, found.wa_id, confirmed=False)
            else:
                await self._unsent(found.outbox_id, secret_of[found.outbox_id], "it never left")

    async def settle_former(self, chat: str | None, fence: int | None) -> None:
        """Decide what holders of the session before *fence* left open; None: all of them."""
        company, channel = self._wire.company_id, self._wire.channel
        await self.settle(await self._ledger.unsettled(company, channel, chat, fence))

    async def settle_dropped(self, chat: str | None, held: Collection[int]) -> None:
        """Decide sends of ours that nobody watches: a store was away when they ended."""
        company, channel = self._wire.company_id, self._wire.channel
        rows = await self._ledger.unsettled(company, channel, chat, self._fence + 1)
        await self.settle([row for row in rows if row["id"] not in held])

    async def insist(self, write: Callable[[], Awaitable[T]]) -> T:
        """Only this process knows how a send ended: the ledger is told until it has heard.

        Once closed it is tried once; the next owner of the session settles the row.
        """
        return await insist(write, "the end of a send", going=lambda: not self.closed)

    def _must_be_open(self) -> None:
        if self.closed or not self._wire.connected:
            raise RetryLater("nothing can leave by this wire now")

    async def _last_look(
        self,
        part: Part,
        hand: OwnerHand,
        secret: bytes,
        sessions_hash: str | None,
        asked: Callable[[], object],
    ) -> str:
        """Whether this part may leave now: go, stopped or gone.

        The wire looks at the owner's hand once more in the moment in which the client gets the
        text.
        """
        outcome = "stopped"
        if not hand.pending:
            outcome = await self._begin(part, secret, sessions_hash, asked)
        if hand.pending or (outcome == "go" and self._wire.owner_hand(part.chat) != hand):
            await self._stop(part)
            return "stopped"
        return outcome

    async def _begin(
        self,
        part: Part,
        secret: bytes,
        sessions_hash: str | None,
        asked: Callable[[], object],
    ) -> str:
        try:
            return await self._ledger.sending(
                part,
                host=self._host,
                fence=self._fence,
                secret=secret,
                sessions_hash=sessions_hash,
                oldest_seconds=self._oldest_seconds,
                asked=asked,
            )
        except RetryLater:
            # It may have been committed all the same; nothing has left yet.
            await self._unsent(part.id, secret, "the ledger did not answer")
            raise

    async def _hand_over(self, part: Part, outgoing: Outgoing, sessions_hash: str | None) -> Left:
        try:
            return await self._send(outgoing), True
        except TakenOver:
            await self._stop(part)
            self._metrics.unsent("stopped")
            return NOT_LEFT
        except NotSent as error:
            await self._unsent(part.id, outgoing.secret, str(error))
            raise RetryLater(str(error)) from error
        except GiveUp as error:
            log.warning("WhatsApp refuses a reply", extra={"outbox": part.id, "why": str(error)})
            await self._unsent(part.id, outgoing.secret, str(error), give_up=True)
            return NOT_LEFT
        except Unconfirmed:
            return await self._find_out(part, outgoing.secret, sessions_hash)

    async def _send(self, outgoing: Outgoing) -> str:
        self._with_wire.add(outgoing.secret)
        try:
            return await self._wire.send(outgoing)
        finally:
            self._with_wire.discard(outgoing.secret)

    async def _find_out(self, part: Part, secret: bytes, sessions_hash: str | None) -> Left:
        question = Unsettled(part.id, part.chat, secret, sessions_hash)
        found = (await self._wire.settle([question]))[0]
        self._metrics.settled(sent=found.sent)
        if found.sent:
            return found.wa_id or f"outbox-{part.id}", False
        await self._unsent(part.id, secret, "it never left")
        raise RetryLater("a send failed before it left")

    async def _stop(self, part: Part) -> None:
        await self.insist(lambda: self._ledger.stop(part.company_id, part.id, "paused: owner"))

    async def _unsent(
        self, outbox_id: int, secret: bytes, reason: str, *, give_up: bool = False
    ) -> None:
        self._metrics.unsent("failed" if give_up else "not_sent")
        await self._take_back(outbox_id, secret, reason, give_up=give_up)

    async def _take_back(
        self, outbox_id: int, secret: bytes, reason: str, *, give_up: bool = False
    ) -> None:
        company = self._wire.company_id
        await self.insist(
            lambda: self._ledger.unsent(
                company, outbox_id, secret=secret, give_up=give_up, reason=reason[:200]
            )
        )
