"""Pairs a phone: follows the company's pairing that runs, or starts one, and tells how it goes.

A pairing that is abandoned leaves a thread in the client that can never end, so each runs in a
process of its own that ends hard (`bot.whatsapp.pairing_child`). One runs for a company at a time;
whoever else wants to pair joins it, and begins anew where it ends without an end of its own.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from bot.config import Settings
from bot.whatsapp.environment import exec_environment
from bot.whatsapp.files import CompanyFiles
from bot.whatsapp.locks import holder
from bot.whatsapp.pairing_ends import failure_sentence, letters_refusal
from bot.whatsapp.pairing_line import Line, join, start

__all__ = ["Decide", "PairEvent", "Pairing", "failure_sentence", "pair"]

_TRIES = 20
_PAUSE = 0.25

_KEYS = {
    "qr": ("event", "code", "expires_in"),
    "letters": ("event", "code", "phone", "expires_in"),
    "letters_refused": ("event", "phone", "reason", "sentence"),
    "linked": ("event", "phone", "former"),
    "paired": ("event", "phone", "jid", "already"),
    "failed": ("event", "reason", "sentence"),
}


@dataclass(frozen=True, slots=True)
class PairEvent:
    """One step of a pairing.

    ``qr`` and ``letters`` bring a code and its seconds, ``letters_refused`` the reason. ``linked``
    brings the number of the phone and that of the one before; then comes ``paired``, or ``failed``.
    ``already`` says that the company had a phone before; ``sentence`` is for a person.
    """

    event: str
    code: str = ""
    expires_in: float = 0.0
    phone: str = ""
    former: str = ""
    jid: str = ""
    already: bool = False
    reason: str = ""
    sentence: str = ""

    @property
    def is_last(self) -> bool:
        """Whether nothing comes after it."""
        return self.event in {"paired", "failed"}

    @property
    def changes_number(self) -> bool:
        """Whether the company had another number before."""
        return self.former not in ("", self.phone)

    def as_json(self) -> dict[str, Any]:
        """The event as ``lyrox pair --json`` prints it."""
        return {key: getattr(self, key) for key in _KEYS[self.event]}


Decide = Callable[[PairEvent], Awaitable[str]]
"""Says whether the phone that was linked is the company's: "" to keep it, or why to unlink it."""


async def keep(_linked: PairEvent) -> str:
    """Any phone will do."""
    return ""


class Pairing:
    """One company's pairing as one process follows it; to be used once.

    *phone* (digits) asks for letters to be typed there, from the beginning.
    """

    def __init__(
        self,
        company_id: UUID,
        settings: Settings,
        *,
        decide: Decide = keep,
        phone: str = "",
        language: str = "en",
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._files = CompanyFiles(settings.daemon.state_dir, company_id)
        self._settings = settings
        self._decide = decide
        self._phone = phone
        self._language = language
        self._environ = environ
        self._line: Line | None = None

    async def events(self) -> AsyncGenerator[PairEvent, None]:
        """What happens, ending with exactly one ``paired`` or ``failed``; leaving early is fine."""
        end = self._failed("busy")
        for _ in range(_TRIES):
            self._line = await self._open()
            try:
                async with aclosing(self._follow(self._line)) as events:
                    async for event in events:
                        yield event
                        if event.is_last:
                            return
                if self._line.broke:
                    end = self._failed("fault", "the pairing process ended early")
                    break
            finally:
                await self._line.close()
            await asyncio.sleep(_PAUSE)
        yield end

    def use_letters(self, phone: str) -> None:
        """Ask for eight letters to be typed on the phone with these digits."""
        self._phone = phone
        if self._line is not None:
            self._line.wish(do="letters", phone=phone)

    async def _open(self) -> Line:
        line = await join(self._files.pairing)
        if line is None:
            line = await start(
                *(self._files.state_dir, self._files.company_id),
                self._settings.whatsapp.device_name,
                environ=exec_environment(self._settings.whatsapp, self._environ),
            )
        if self._phone:
            line.wish(do="letters", phone=self._phone)
        return line

    async def _follow(self, line: Line) -> AsyncGenerator[PairEvent, None]:
        """The line's events until the last one, or until it is to be opened anew."""
        async with aclosing(line.words()) as lines, AsyncExitStack() as stack:
            async for words in lines:
                event = self._event(words)
                if event is None or self._is_too_early(event):
                    return
                if event.event == "linked":
                    await stack.enter_async_context(self._deciding(line, event))
                yield event

    @asynccontextmanager
    async def _deciding(self, line: Line, linked: PairEvent) -> AsyncIterator[None]:
        """Have it decided beside the reading: somebody else may be faster."""

        async def decide() -> None:
            reason = await self._decide(linked)
            line.wish(do="refuse" if reason else "keep", reason=reason)

        deciding = asyncio.ensure_future(decide())
        try:
            yield
        finally:
            deciding.cancel()
            with suppress(asyncio.CancelledError):
                await deciding

    def _event(self, words: Mapping[str, Any]) -> PairEvent | None:
        """None where the pairing is to be begun anew."""
        if words["event"] == "again":
            return None
        if words["event"] == "failed":
            return self._failed(words["reason"], words["detail"])
        if words["event"] == "letters_refused":
            reason = letters_refusal(words["detail"])
            sentence = failure_sentence(reason, language=self._language)
            return PairEvent(
                "letters_refused", phone=words["phone"], reason=reason, sentence=sentence
            )
        return PairEvent(**words)

    def _is_too_early(self, event: PairEvent) -> bool:
        """Whether the session is only held by somebody who begins or ends right now."""
        return event.reason == "busy" and not holder(self._files.lock).startswith("hosting")

    def _failed(self, reason: str, detail: str = "") -> PairEvent:
        sentence = failure_sentence(reason, detail, self._language)
        return PairEvent("failed", reason=reason, sentence=sentence)


def pair(
    company_id: UUID,
    settings: Settings,
    *,
    language: str = "en",
    environ: Mapping[str, str] = os.environ,
) -> AsyncGenerator[PairEvent, None]:
    """Codes to scan, then exactly one ``paired`` or ``failed``; leaving early ends the child."""
    return Pairing(company_id, settings, language=language, environ=environ).events()
