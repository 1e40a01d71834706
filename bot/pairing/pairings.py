"""Pairings as the pairing page sees them: one a company, however many people look on."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Self
from uuid import UUID

from bot.background import Background
from bot.pairing.budget import Budget
from bot.pairing.run import PairingRun, Surroundings
from bot.pairing.view import Facts, Step, View
from bot.whatsapp.states import Reason

log = logging.getLogger(__name__)

ABANDONED_SECONDS = 60.0
"""A pairing that nobody has looked at for so long is ended."""
TOO_OFTEN = "too_often"
"""Why a pairing does not begin that was asked for again and again."""

_STARTS, _START_SECONDS = 12, 20.0
_KEEP_FACTS = 1.0
_LOOK_AGAIN = 2.0
_FORGET_SECONDS = 600.0
_ABANDONED = "abandoned"


class CompanyPairing:
    """What is to be seen of one company; it outlives every page that shows it."""

    def __init__(self, company_id: UUID, around: Surroundings, background: Background) -> None:
        self._company_id = company_id
        self._around = around
        self._background = background
        self._loop = asyncio.get_running_loop()
        self._news: asyncio.Future[None] = self._loop.create_future()
        self._view: View | None = None
        self._run: PairingRun | None = None
        self._facts: tuple[float, Facts] | None = None
        self._watchers = 0
        self._seen = self._loop.time()
        self._starts = Budget(_STARTS, _START_SECONDS, clock=self._loop.time)

    @property
    def forgettable(self) -> bool:
        """Whether nobody would miss it."""
        quiet = self._loop.time() - self._seen > _FORGET_SECONDS
        return self._run is None and not self._watchers and quiet

    @property
    def watchers(self) -> int:
        """How many follow it at this moment."""
        return self._watchers

    async def facts(self) -> Facts:
        """The company, as of a second ago at most. Raises RetryLater or Unavailable."""
        now = self._loop.time()
        if self._facts is None or now - self._facts[0] > _KEEP_FACTS:
            self._facts = (now, await self._around.facts(self._company_id))
        return self._facts[1]

    async def look(self) -> View:
        """What to show now. Raises RetryLater or Unavailable."""
        self._seen = self._loop.time()
        if self._view is not None and self._run is not None:
            return self._view
        facts = await self.facts()
        settled = self._view is None or facts.connected or not facts.served
        return facts.view() if settled or self._view is None else self._view

    async def watch(self) -> AsyncGenerator[View, None]:
        """What to show now, and each change of it, until closed. Raises as `look`."""
        self._watchers += 1
        shown = None
        try:
            while True:
                news = self._news
                view = await self.look()
                if view != shown:
                    shown = view
                    yield view
                await asyncio.wait({news}, timeout=_LOOK_AGAIN)
        finally:
            self._watchers -= 1
            self._seen = self._loop.time()

    async def begin_at_first(self) -> None:
        """Begin where nobody has paired yet, and nothing has gone wrong. Raises as `look`."""
        if self._view is None and (await self.facts()).view().step is Step.START:
            self.begin()

    def begin(self, letters: str = "") -> None:
        """Show a code to scan, or *letters* to be typed on the phone with these digits."""
        run = None if self._run is None or self._run.failed else self._run
        if self._view is not None and self._view.step in {Step.CONFIRM, Step.LINKED}:
            return
        if run is not None and not letters:
            run.use_scan()
        elif self._starts.spend():
            self._show(View(Step.FAILED, reason=TOO_OFTEN, letters=letters))
        elif run is not None:
            run.use_letters(letters)
        else:
            self._show(View(Step.PREPARING))
            self._run = PairingRun(self._company_id, self._around, self._show, letters)
            self._background.start(self._live(self._run), name=f"pairing {self._company_id}")

    def answer(self, keep: bool) -> None:
        """Whether the phone that was linked is the right one."""
        if self._run is not None:
            self._run.answer(keep)

    async def _live(self, run: PairingRun) -> None:
        company = {"company": str(self._company_id)}
        log.info("a pairing begins", extra=company)
        end = Reason.FAULT.value
        try:
            end = await self._unless_abandoned(run)
        except asyncio.CancelledError:
            end = _ABANDONED
            raise
        finally:
            self._around.ended(end)
            self._around.told(self._company_id, end)
            if self._run is run:
                self._run = self._facts = None
                self._show_end(end)
            log.info("a pairing ended", extra=company | {"end": end})

    def _show_end(self, end: str) -> None:
        """A failure stays to be seen; everything else is told by the company itself."""
        failed = end not in {_ABANDONED, "paired"}
        shown = self._view if self._view and self._view.step is Step.FAILED else None
        self._view = (shown or View(Step.FAILED, reason=end)) if failed else None
        self._tell()

    async def _unless_abandoned(self, run: PairingRun) -> str:
        pairing = asyncio.ensure_future(run.run())
        leaving = asyncio.ensure_future(self._until_abandoned())
        try:
            await asyncio.wait({pairing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            return pairing.result() if pairing.done() else _ABANDONED
        finally:
            for task in (pairing, leaving):
                task.cancel()
            await asyncio.gather(pairing, leaving, return_exceptions=True)

    async def _until_abandoned(self) -> None:
        """Whoever types letters on the phone may look away from the page meanwhile."""
        while self._watchers or self._loop.time() < self._patient_until():  # noqa: ASYNC110 - For time.
            await asyncio.sleep(1.0)

    def _patient_until(self) -> float:
        view = self._view
        typing = view.until if view is not None and view.step is Step.LETTERS else 0.0
        return max(self._seen + ABANDONED_SECONDS, typing)

    def _show(self, view: View) -> None:
        self._view = view
        self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, self._loop.create_future()
        if not news.done():
            news.set_result(None)


class Pairings:
    """Every company's, made when it is first looked at; leaving the context ends all that run."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._background = Background(drain_seconds=0.0)
        self._open: dict[UUID, CompanyPairing] = {}

    async def __aenter__(self) -> Self:
        await self._background.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._background.__aexit__(kind, error, trace)

    def of(self, company_id: UUID) -> CompanyPairing:
        """The company's one."""
        for other in [key for key, one in self._open.items() if one.forgettable]:
            del self._open[other]
        if company_id not in self._open:
            self._open[company_id] = CompanyPairing(company_id, self._around, self._background)
        return self._open[company_id]
