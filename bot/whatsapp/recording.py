"""What is known of each company's WhatsApp, and the bringing of it to where others see it."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol
from uuid import UUID

from bot.whatsapp.files import Pairing
from bot.whatsapp.states import State
from models.errors import GiveUp, RetryLater, Unavailable

log = logging.getLogger(__name__)

_RETRY = 1.0


class StateBook(Protocol):
    """Where states become visible: Redis, and the company's row."""

    async def record_state(self, company_id: UUID, state: State, pairing: Pairing | None) -> None:
        """Record the newest state; *pairing* is known once a phone is paired. May be repeated.

        A company that another host holds is left to that host. Raises RetryLater or Unavailable,
        or GiveUp for what can never be recorded.
        """

    def forget(self, company_id: UUID) -> None:
        """Another host speaks for the company from now on."""


class StateRecorder:
    """Only a company's newest state matters, so a slow store never falls behind."""

    def __init__(self, book: StateBook, pairing: Callable[[UUID], Pairing | None]) -> None:
        self._book = book
        self._pairing = pairing
        self._known: dict[UUID, State] = {}
        self._unrecorded: dict[UUID, State] = {}
        self._news = asyncio.Event()

    def known(self) -> dict[UUID, State]:
        """The newest state of each company."""
        return dict(self._known)

    def say(self, company_id: UUID, state: State) -> None:
        """The company's state is this now."""
        if self._known.get(company_id) == state:
            return
        self._known[company_id] = self._unrecorded[company_id] = state
        log.info(state.sentence("en"), extra={"company": str(company_id), "state": state.reason})
        self._news.set()

    def again(self, company_id: UUID) -> None:
        """Record the company's state once more: what goes with it has changed."""
        if state := self._known.get(company_id):
            self._unrecorded[company_id] = replace(state)  # Another one than is on its way.
            self._news.set()

    def forget(self, company_id: UUID) -> None:
        """Another host holds the company now: what was known here is no longer so."""
        self._known.pop(company_id, None)
        self._unrecorded.pop(company_id, None)
        self._book.forget(company_id)

    async def run(self) -> None:
        """Record until cancelled; a store that does not answer is asked again."""
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                await self._record_all()
            except (RetryLater, Unavailable):
                await asyncio.sleep(_RETRY)
                self._news.set()

    async def finish(self, limit: float = 2.0) -> None:
        """Record what is left, if that goes quickly."""
        with contextlib.suppress(RetryLater, Unavailable, TimeoutError):
            async with asyncio.timeout(limit):
                await self._record_all()

    async def _record_all(self) -> None:
        while self._unrecorded:
            company_id, state = next(iter(self._unrecorded.items()))
            try:
                await self._book.record_state(company_id, state, self._pairing(company_id))
            except GiveUp as error:
                log.error("a state can never be recorded", extra=_named(company_id, error))  # noqa: TRY400 - Its text says it all.
            if self._unrecorded.get(company_id) is state:
                del self._unrecorded[company_id]


def _named(company_id: UUID, error: GiveUp) -> dict[str, str]:
    return {"company": str(company_id), "why": str(error)}
