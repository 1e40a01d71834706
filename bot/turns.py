"""One turn: claim it, gather what it needs, let the first willing handler answer, record that."""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from bot.bubbles import bubbles
from bot.insistence import for_seconds, insist
from bot.lanes import Chat
from bot.logs import log_context
from bot.metrics import Metrics
from bot.recall import Recall, with_history
from handlers import Handler, Phrases, Prompts, language
from models.errors import GiveUp, RetryLater
from models.ledger import Ledger
from models.ledger_rows import Part
from models.manner import Manner
from models.values import Channel, Quote, Reply, Silence, Turn

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_ATTEMPTS = 8
"""A turn that has come to no end this often is handed to a human: it may be what kills us."""


LATE_SECONDS = 120.0
"""A reply that comes so long after its message quotes it."""
MOST_TAKEN_BACK = 2
"""After so many times a reply stands although newer messages wait (``road_answer``)."""
RECORD_SECONDS = 30.0
"""So long an answer in hand is offered to a ledger that is away; the model is not paid twice."""
SHOWN = Manner(mark_read=True, typing=True, parts=3)


class Unrecorded(RetryLater):
    """There is an answer, and no ledger that takes it; the sweep brings the turn back."""


class Turns:
    """Runs turns for any host; whoever claims first has the turn, all others find it busy.

    *offer* gets the parts that became ready and says whether this process delivers them;
    *joined* gets a turn that must run again because the customer wrote more; *notify*
    tells whoever delivers that company's chats to look into the ledger. *attend* is told of a
    turn that begins and *leave* of one that has no reply for now; *usual* is the manner of
    companies that say nothing of it.
    """

    def __init__(
        self,
        ledger: Ledger,
        handlers: Sequence[Handler],
        recall: Recall,
        *,
        host: UUID,
        prompts: Prompts,
        metrics: Metrics,
        pause_minutes: int,
        retry_minutes: Sequence[float],
        notice_minutes: int,
        offer: Callable[[Channel, Sequence[Part]], bool],
        joined: Callable[[Turn], None],
        notify: Callable[[UUID, Channel], None],
        usual: Manner = SHOWN,
        attend: Callable[[Turn], None] = lambda _: None,
        leave: Callable[[Turn], None] = lambda _: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger = ledger
        self._handlers = handlers
        self._recall = recall
        self._host = host
        self._prompts = prompts
        self._metrics = metrics
        self._pause_minutes = pause_minutes
        self._retry_minutes = retry_minutes
        self._notice_minutes = notice_minutes
        self._offer = offer
        self._joined = joined
        self._notify = notify
        self._usual = usual
        self._attend = attend
        self._leave = leave
        self._now = now

    async def run(self, chat: Chat) -> None:
        """Run the turn that waits in *chat*, if there is one and nobody else has it.

        What PostgreSQL cannot take now stays open, and the sweep brings it back.
        """
        asked = chat
        try:
            reading = self._recall.lines(chat)
            claim = await self._ledger.claim(*chat, self._host)
            lines = await reading
            if claim.turn is None:
                self._metrics.turn(claim.outcome, "none")
            else:
                chat = (chat[0], claim.turn.customer.id)
                if chat != asked:  # By an id from before a merge.
                    lines = await self._recall.lines(chat)
                turn = with_history(claim.turn, lines, claim.unremembered)
                turn = replace(turn, manner=turn.manner.over(self._usual))
                with log_context(company=chat[0], chat=chat[1], turn=turn.id):
                    self._attend(turn)
                    await self._run(turn)
        except RetryLater as error:
            log.warning("turn is left to the sweep", extra={"why": str(error)})

    async def _run(self, turn: Turn) -> None:
        try:
            await self._answer(turn)
        except Unrecorded:
            raise
        except RetryLater as error:
            await self._later(turn, str(error))
        except GiveUp as error:
            await self._hand_over(turn, str(error))
        except Exception:
            log.exception("turn failed", extra={"turn": str(turn.id)})
            await self._later(turn, "a fault of ours; see the log")

    async def _answer(self, turn: Turn) -> None:
        if turn.attempt - turn.deferred > MOST_ATTEMPTS:
            raise GiveUp(f"taken up {turn.attempt} times without an end")
        handler = next(handler for handler in self._handlers if handler.wants(turn))
        self._metrics.waited(max(0.0, time.time() - turn.messages[0].at.timestamp()))
        began = time.monotonic()
        said = await handler.answer(turn)
        self._metrics.answered(handler.name, time.monotonic() - began)
        if isinstance(said, Silence):
            why, who = said.reason, said.handler
            await self._insist(
                lambda: self._ledger.silence(turn, host=self._host, reason=why, handler=who)
            )
            self._metrics.turn("silent", handler.name)
            await self._left_to_others(turn)
            return
        await self._record(turn, said)

    async def _record(self, turn: Turn, reply: Reply) -> None:
        reply = self._in_manner(turn, reply)
        final = {"final": True} if reply.pause_minutes or reply.opt_out is not None else {}
        details = {**reply.event_data, **final}
        if reply.picture is not None:
            details["picture"] = reply.picture
        quote = self._quote(turn)
        if quote is not None:
            details["quote"] = quote.id
        outcome, ids = await self._insist(
            lambda: self._ledger.answer(turn, reply, host=self._host, details=details)
        )
        self._metrics.turn(outcome, reply.handler)
        if reply.pause_minutes and outcome == "ready":
            self._metrics.handed_over()
        if outcome == "joined":
            self._leave(turn)
            self._joined(turn)
        elif outcome != "ready" or not self._offer(turn.channel, _parts(turn, reply, ids, quote)):
            await self._left_to_others(turn)

    async def _insist(self, write: Callable[[], Awaitable[T]]) -> T:
        """An end that was recorded though nobody heard it is `lost` when it is told again."""
        try:
            return await insist(write, "an answer", going=for_seconds(RECORD_SECONDS))
        except RetryLater as error:
            raise Unrecorded(str(error)) from error

    def _in_manner(self, turn: Turn, reply: Reply) -> Reply:
        """The reply as its company wants it: in so many bubbles, with so long a pause."""
        parts, pause = reply.parts, reply.pause_minutes
        if len(parts) == 1 and turn.manner.parts:
            parts = bubbles(parts[0], turn.manner.parts)
        if pause and turn.manner.pause_minutes:
            pause = turn.manner.pause_minutes
        return replace(reply, parts=parts, pause_minutes=pause)

    def _quote(self, turn: Turn) -> Quote | None:
        """What the reply shows that it answers: the newest message, where other things may stand
        between, because the reply is late or has been overtaken as often as it may be."""
        newest = turn.messages[-1]
        late = (self._now() - newest.at).total_seconds() >= LATE_SECONDS
        if turn.channel is Channel.TERMINAL or not newest.text.strip():
            return None
        return Quote(newest.id, newest.text) if late or turn.superseded >= MOST_TAKEN_BACK else None

    async def _left_to_others(self, turn: Turn) -> None:
        """No reply of ours will carry the history into the cache; somebody may have to deliver."""
        self._leave(turn)
        self._notify(turn.company.id, turn.channel)
        await self._recall.nobody_replies((turn.company.id, turn.customer.id))

    async def _later(self, turn: Turn, reason: str) -> None:
        if turn.tries >= len(self._retry_minutes):
            await self._hand_over(turn, reason)
            return
        notice = await self._ledger.defer(
            turn,
            host=self._host,
            delay=60 * self._retry_minutes[turn.tries],
            reason=reason,
            notice=self._say(turn).answer_shortly,
            notice_minutes=self._notice_minutes,
        )
        self._leave(turn)
        self._metrics.turn("deferred", "none")
        log.warning("turn waits", extra={"turn": str(turn.id), "why": reason})
        if notice is not None:
            self._notify(turn.company.id, turn.channel)

    async def _hand_over(self, turn: Turn, reason: str) -> None:
        log.warning("turn handed over", extra={"turn": str(turn.id), "why": reason})
        reply = Reply(
            parts=(self._say(turn).handover_after_failure,),
            handler="handover",
            pause_minutes=self._pause_minutes,
            pause_reason="handover",
            event="handover_requested",
            event_data={"reason": "no answer was possible", "why": reason},
        )
        await self._record(turn, reply)

    def _say(self, turn: Turn) -> Phrases:
        return self._prompts.say(language(turn))


def _parts(turn: Turn, reply: Reply, ids: Sequence[int], quote: Quote | None) -> list[Part]:
    customer = replace(turn.customer, stage=reply.stage or turn.customer.stage)
    return [
        Part(
            id=row,
            company_id=turn.company.id,
            customer=customer,
            kind="reply",
            chat=turn.chat,
            text=text,
            ai=reply.ai if number == 0 else None,
            picture=reply.picture if number == 0 else None,
            manner=turn.manner,
            quote=quote if number == 0 else None,
        )
        for number, (row, text) in enumerate(zip(ids, reply.parts, strict=True))
    ]
