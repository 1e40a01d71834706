"""A pairing whose events a test says, instead of a process with the real client."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from uuid import UUID

from bot.pairing.run import Surroundings
from bot.pairing.view import Facts
from bot.whatsapp.pairing import Decide, PairEvent
from bot.whatsapp.states import Reason, State
from models.errors import RetryLater

CODE = "https://wa.me/settings/linked_devices#0123456789abcdef,qb9qjN1/d5slPvdqNgHzAbZm,aDi3,rsvk,1"


class FakeFollower:
    """Decides about a linked phone as the real one does, and remembers what came of it."""

    def __init__(self, decide: Decide, letters: str) -> None:
        self.letters = [letters] if letters else []
        self.decided: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.closed = False
        self._decide = decide
        self._events: asyncio.Queue[PairEvent] = asyncio.Queue()

    def say(self, event: str, **words: object) -> None:
        """Something happens."""
        self._events.put_nowait(PairEvent(event, **words))  # type: ignore[arg-type] # The test knows.

    def scan(self, code: str = CODE, expires_in: float = 60.0) -> None:
        """A code to scan."""
        self.say("qr", code=code, expires_in=expires_in)

    def use_letters(self, phone: str) -> None:
        """Letters are asked for."""
        self.letters.append(phone)

    async def events(self) -> AsyncGenerator[PairEvent, None]:
        """What the test says; after the decision to unlink a phone, the failure that follows."""
        deciding: asyncio.Task[None] | None = None
        try:
            while True:
                event = await self._events.get()
                if event.event == "linked" and deciding is None:
                    deciding = asyncio.ensure_future(self._say_decision(event))
                yield event
                if event.is_last:
                    return
        finally:
            self.closed = True
            if deciding is not None:
                deciding.cancel()

    async def _say_decision(self, linked: PairEvent) -> None:
        reason = await self._decide(linked)
        self.decided.set_result(reason)
        if reason:
            self.say("failed", reason=reason)
        else:
            self.say("paired", phone=linked.phone, jid=f"{linked.phone[1:]}:1@s.whatsapp.net")


@dataclass
class Stage:
    """One company, the pairings that were begun for it, and who has which number."""

    name: str = "Panadería La Espiga"
    state: State = field(default_factory=lambda: State(Reason.NEVER_PAIRED))
    phone: str = ""
    served: bool = True
    away: bool = False
    taken: set[str] = field(default_factory=set)
    begun: list[FakeFollower] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    told: list[tuple[UUID, str]] = field(default_factory=list)

    @property
    def follower(self) -> FakeFollower:
        """The newest pairing."""
        return self.begun[-1]

    def surroundings(self) -> Surroundings:
        """What the daemon would give."""
        return Surroundings(
            *(self._follow, self._facts, self._claim, self.ended.append),
            lambda company, end: self.told.append((company, end)),
        )

    def connect(self, phone: str) -> None:
        """The session is up."""
        self.phone, self.state = phone, State(Reason.ONLINE)

    def _follow(self, _company: UUID, decide: Decide, letters: str) -> FakeFollower:
        self.begun.append(FakeFollower(decide, letters))
        return self.begun[-1]

    async def _facts(self, _company: UUID) -> Facts:
        if self.away:
            raise RetryLater("PostgreSQL does not answer")
        return Facts(self.name, self.state, self.phone, self.served)

    async def _claim(self, _company: UUID, phone: str) -> str | None:
        if self.away:
            raise RetryLater("PostgreSQL does not answer")
        return "" if phone in self.taken else None
