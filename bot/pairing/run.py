"""One pairing as the daemon runs it: from the first code until the company is connected."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

from bot.pairing.view import Facts, Step, View
from bot.whatsapp.pairing import Decide, PairEvent
from bot.whatsapp.pairing_ends import ANOTHER_NUMBER
from bot.whatsapp.states import Reason
from models.errors import RetryLater, Unavailable

CONNECT_SECONDS = 60.0
"""How long a phone just linked is shown as on its way."""
_POLL = 0.5


class Follower(Protocol):
    """One look at a company's pairing: `bot.whatsapp.pairing.Pairing`."""

    def events(self) -> AsyncGenerator[PairEvent, None]:
        """What happens, to the end."""

    def use_letters(self, phone: str) -> None:
        """Ask for eight letters to be typed on that phone."""


@dataclass(frozen=True)
class Surroundings:
    """What pairings need of the daemon.

    *facts* may raise RetryLater or Unavailable. *claim* makes a number a company's: None, or
    something else where another company has it. *ended* is told how each pairing ended, *told*
    whose it was too.
    """

    follow: Callable[[UUID, Decide, str], Follower]
    facts: Callable[[UUID], Awaitable[Facts]]
    claim: Callable[[UUID, str], Awaitable[str | None]]
    ended: Callable[[str], None]
    told: Callable[[UUID, str], None] = lambda _company, _end: None


class PairingRun:
    """Tells *show* each view; *letters* are the digits of a phone that types, not scans."""

    def __init__(
        self, company_id: UUID, around: Surroundings, show: Callable[[View], None], letters: str
    ) -> None:
        self._company_id = company_id
        self._around = around
        self._show = show
        self._letters = letters
        self._loop = asyncio.get_running_loop()
        self._scan: View | None = None
        self._answer: asyncio.Future[bool] | None = None
        self.failed = False
        self._follower = around.follow(company_id, self._decide, letters)

    async def run(self) -> str:
        """Returns how it ended: ``paired``, or why not."""
        async with aclosing(self._follower.events()) as events:
            async for event in events:
                self._take(event)
                if event.event == "failed":
                    return event.reason
        return await self._connected()

    def use_letters(self, phone: str) -> None:
        """Have eight letters made for the phone with these digits."""
        self._letters = phone
        self._show(View(Step.PREPARING))
        self._follower.use_letters(phone)

    def use_scan(self) -> None:
        """Show the code to scan again."""
        self._letters = ""
        if self._scan is not None:
            self._show(self._scan)

    def answer(self, keep: bool) -> None:
        """Whether the phone that was linked is the right one."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(keep)

    def _take(self, event: PairEvent) -> None:
        view = View.of(event, self._loop.time())
        self.failed = event.event == "failed"
        if view.step is Step.SCAN:
            self._scan = view
        elsewhere = event.event.startswith("letters") and view.letters != self._letters
        hidden = view.step is Step.SCAN and self._letters
        asked_first = view.step is Step.LINKED and event.changes_number
        if view.step is Step.FAILED and not elsewhere:
            view = replace(view, letters=self._letters)
        if not (elsewhere or hidden or asked_first):
            self._show(view)

    async def _decide(self, linked: PairEvent) -> str:
        """Whether the phone is the company's: a person says so, and no other company has it."""
        if linked.changes_number:
            self._answer = self._loop.create_future()
            self._show(View(Step.CONFIRM, phone=linked.phone, former=linked.former))
            if not await self._answer:
                return ANOTHER_NUMBER
            self._show(View(Step.LINKED, phone=linked.phone))
        try:
            other = await self._around.claim(self._company_id, linked.phone)
        except (RetryLater, Unavailable):
            return ""  # Whoever hosts the session claims the number once more.
        return "" if other is None else Reason.NUMBER_IN_USE.value

    async def _connected(self) -> str:
        """The daemon that takes the session over has the last word."""
        end = self._loop.time() + CONNECT_SECONDS
        while self._loop.time() < end:
            await asyncio.sleep(_POLL)
            try:
                facts = await self._around.facts(self._company_id)
            except (RetryLater, Unavailable):
                continue
            if facts.connected:
                break
            if facts.state.reason is Reason.NUMBER_IN_USE:
                self._show(View(Step.FAILED, reason=facts.state.reason.value))
                return facts.state.reason.value
        return "paired"
