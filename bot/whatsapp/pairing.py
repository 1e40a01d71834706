"""Pairs a phone: asks a child process for codes and tells how it went.

A pairing that is abandoned leaves a thread in the client that can never end, so each request
runs in a process of its own that ends hard.
"""

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from bot.config import Settings
from bot.whatsapp.environment import exec_environment
from bot.whatsapp.states import Reason, State

_CHILD_LIMIT = 240.0
_FAILURES = {reason.value: reason for reason in Reason}


@dataclass(frozen=True, slots=True)
class PairEvent:
    """One step: ``qr`` with a code and its seconds, ``paired`` with the number, or ``failed``.

    ``already`` says that the company had a phone before; ``sentence`` is for a person.
    """

    event: str
    code: str = ""
    expires_in: float = 0.0
    phone: str = ""
    jid: str = ""
    already: bool = False
    reason: str = ""
    sentence: str = ""

    def as_json(self) -> dict[str, Any]:
        """The event as ``lyrox pair --json`` prints it."""
        keys = {
            "qr": ("event", "code", "expires_in"),
            "paired": ("event", "phone", "jid", "already"),
            "failed": ("event", "reason", "sentence"),
        }[self.event]
        return {key: getattr(self, key) for key in keys}


# How a pairing can end that no session ever does, in the same two languages.
_ENDS = {
    "expired": (
        "El código venció sin que nadie lo escaneara. Pide uno nuevo con `lyrox pair`.",
        "The code expired and nobody scanned it. Get a new one with `lyrox pair`.",
    ),
    "refused": (
        "El teléfono o WhatsApp rechazó la vinculación. Pide un código nuevo con `lyrox pair`.",
        "The phone or WhatsApp refused the pairing. Get a new code with `lyrox pair`.",
    ),
    "unreachable": (
        "No se llega a WhatsApp. Revisa internet, cortafuegos y HTTPS_PROXY y prueba otra vez.",
        "WhatsApp cannot be reached. Check internet, firewall and HTTPS_PROXY, then try again.",
    ),
    "busy": (
        "Ya hay otra vinculación en curso para esta empresa. Espera a que termine.",
        "Another pairing of this company is under way. Wait until it ends.",
    ),
}


def failure_sentence(reason: str, detail: str = "", language: str = "es") -> str:
    """What to tell a person about a pairing that failed."""
    if reason in _ENDS:
        return _ENDS[reason][0 if language == "es" else 1]
    return State(_FAILURES.get(reason, Reason.FAULT), detail=detail).sentence(language)


async def pair(
    company_id: UUID,
    settings: Settings,
    *,
    language: str = "en",
    environ: Mapping[str, str] = os.environ,
) -> AsyncGenerator[PairEvent, None]:
    """Codes to scan, then exactly one ``paired`` or ``failed``; leaving early ends the child."""
    child = await _start(company_id, settings, environ)
    try:
        async with asyncio.timeout(_CHILD_LIMIT):
            async for event in _events(child, language):
                yield event
                if event.event != "qr":
                    return
        yield _failed("fault", "the pairing process ended early", language)
    except TimeoutError:
        yield _failed("expired", "", language)
    finally:
        await _end(child)


async def _start(company_id: UUID, settings: Settings, environ: Mapping[str, str]) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot.whatsapp.pairing_child"),
        *(str(settings.daemon.state_dir), str(company_id), settings.whatsapp.device_name),
        stdin=PIPE,
        stdout=PIPE,
        env=exec_environment(settings.whatsapp, environ),
        limit=2**20,
    )


async def _events(child: Process, language: str) -> AsyncIterator[PairEvent]:
    """The child's events; a line the client itself printed is none."""
    if child.stdout is None:
        return
    async for line in child.stdout:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            words = json.loads(line)
            if words["event"] == "failed":
                yield _failed(words["reason"], words.get("detail", ""), language)
            else:
                yield PairEvent(**words)


def _failed(reason: str, detail: str, language: str) -> PairEvent:
    sentence = failure_sentence(reason, detail, language)
    return PairEvent("failed", reason=reason, sentence=sentence)


async def _end(child: Process) -> None:
    """The child ends when its input does; one that does not is killed."""
    if child.stdin is not None:
        child.stdin.close()
    try:
        await asyncio.wait_for(child.wait(), 5.0)
    except TimeoutError:
        child.kill()
        await child.wait()
