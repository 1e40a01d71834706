"""A daemon with nothing but sessions, executed as a process of its own and driven by JSON lines.

``program.py STATE_DIR COMPANY…`` says ``state``, ``message``, ``attached`` and ``answer`` lines
and takes ``send``, ``hand``, ``hash``, ``settle``, ``leave``, ``want``, ``occupy`` (a number, by
another company's device) and ``stop`` commands. What is other than usual stands in the environment
as JSON: ``PATIENCE`` by the field, and in ``LAST_CONNECTED`` a time for a company. It imports
nothing of the tests, so that it can be executed by its path.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import sys
import traceback
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from bot.config import Settings
from bot.whatsapp.files import Pairing
from bot.whatsapp.patience import Patience
from bot.whatsapp.session import Session
from bot.whatsapp.sessions import Sessions, WantedCompany
from bot.whatsapp.states import State
from bot.wire import Outgoing, Unsettled, Wire
from models.errors import LyroxError
from models.values import InboundMessage, MediaRef


def say(**words: object) -> None:
    """One line for the test."""
    sys.stdout.write(json.dumps(words, default=str) + "\n")
    sys.stdout.flush()


class Book:
    """Leases, states and delivery of one host that is alone in the world."""

    def __init__(self, companies: list[UUID], died: Path) -> None:
        self._companies = companies
        self._died = died
        self._seen = json.loads(os.environ.get("LAST_CONNECTED", "{}"))
        self.wires: dict[UUID, Wire] = {}
        self.media: dict[str, MediaRef] = {}
        self.numbers: dict[str, str] = {}

    async def wanted(self) -> list[WantedCompany]:
        return [WantedCompany(one, self._last_connected(one)) for one in self._companies]

    def leave(self, company_id: UUID) -> None:
        self._companies.remove(company_id)

    def want(self, company_id: UUID) -> None:
        self._companies.append(company_id)

    def _last_connected(self, company_id: UUID) -> datetime | None:
        seen = self._seen.get(str(company_id))
        return datetime.fromisoformat(seen) if seen else None

    async def take(self, company_id: UUID) -> int | None:
        return 1 if company_id in self._companies else None

    async def holds(self, _: UUID, fence: int) -> bool:
        return fence == 1  # A lease outlives the wish for it.

    async def release(self, company_id: UUID, fence: int) -> None:
        say(event="released", company=company_id, fence=fence)

    async def claim_number(self, company_id: UUID, phone: str) -> str | None:
        del company_id  # Alone in the world; what other companies have, a test says.
        return self.numbers.get(phone)

    async def record_state(self, company_id: UUID, state: State, pairing: Pairing | None) -> None:
        phone = pairing.phone if pairing else None
        words = {"phase": state.phase, "reason": state.reason, "sentence": state.sentence("en")}
        say(event="state", company=company_id, phone=phone, **words)

    def forget(self, company_id: UUID) -> None:
        say(event="forgotten", company=company_id)

    async def attach(self, wire: Wire, fence: int) -> None:
        self.wires[wire.company_id] = wire
        say(event="attached", company=wire.company_id, fence=fence)

    async def detach(self, company_id: UUID) -> None:
        self.wires.pop(company_id, None)

    async def accept(self, message: InboundMessage) -> None:
        fields = ("wa_id", "sender", "phone", "lid", "chat", "text", "kind", "name", "stale")
        words = {name: getattr(message, name) for name in fields}
        if message.media is not None:
            self.media[message.wa_id] = message.media
        say(event="message", seq=message.journal_seq, company=message.company_id, **words)
        if message.text == "die before storing" and not self._died.exists():
            self._died.touch()
            os.kill(os.getpid(), 9)


class Commands:
    """What a test can ask of the wires: of the first, or of the ``company`` it names."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._taken: dict[str, bytes] = {}

    async def obey(self, command: dict[str, Any]) -> None:
        """Do it and answer with a value or the name of the error."""
        if command["do"] in ("leave", "want"):
            getattr(self._book, command["do"])(UUID(command["company"]))
            return
        if command["do"] == "occupy":
            self._book.numbers[command["phone"]] = command["device"]
            return
        wires = {str(company): wire for company, wire in self._book.wires.items()}
        wire = wires[command.get("company") or next(iter(wires))]
        deeds: dict[str, Callable[..., Awaitable[object]]] = {
            "send": self._send,
            "hash": self._hash,
            "settle": self._settle,
            "hand": self._hand,
            "typing": self._typing,
            "download": self._download,
            "take": self._take,
        }
        try:
            say(event="answer", value=await deeds[command["do"]](wire, command))
        except LyroxError as error:
            say(event="answer", error=type(error).__name__, text=str(error))

    async def _send(self, wire: Wire, command: dict[str, Any]) -> object:
        secret = bytes.fromhex(command["secret"])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                while not wire.connected:  # noqa: ASYNC110 - As delivery does.
                    await asyncio.sleep(0.01)
        picture = self._taken.get(command.get("picture", ""))
        return await wire.send(Outgoing(command["chat"], command["text"], secret, picture=picture))

    async def _take(self, wire: Wire, command: dict[str, Any]) -> object:
        taken = await wire.take_picture(command["place"])
        if taken is not None:
            self._taken[command["place"]] = taken
        return taken is not None

    async def _download(self, wire: Wire, command: dict[str, Any]) -> object:
        assert isinstance(wire, Session)
        data = await wire.download(self._book.media[command["wa_id"]])
        return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    async def _hash(self, wire: Wire, command: dict[str, Any]) -> object:
        return await wire.sessions_hash(command["chat"])

    async def _typing(self, wire: Wire, command: dict[str, Any]) -> object:
        await wire.typing(command["chat"], True)
        return None

    async def _settle(self, wire: Wire, command: dict[str, Any]) -> object:
        send = Unsettled(1, command["chat"], bytes.fromhex(command["secret"]), command.get("hash"))
        (found,) = await wire.settle([send])
        return {"sent": found.sent, "wa_id": found.wa_id}

    async def _hand(self, wire: Wire, command: dict[str, Any]) -> object:
        hand = wire.owner_hand(command["chat"])
        return {"count": hand.count, "pending": hand.pending}


def _tell(running: asyncio.Task[None]) -> None:
    """Nothing but ``stop`` ends the sessions."""
    if not running.cancelled() and (error := running.exception()):
        traceback.print_exception(error)
        say(event="failed", error=repr(error))


async def main(state_dir: str, *companies: str) -> None:
    """Host the companies until ``stop`` or the end of the input."""
    book = Book([UUID(company) for company in companies], Path(state_dir) / "died")
    settings = json.loads(os.environ.get("SETTINGS", "{}"))
    settings["daemon"] = {"state_dir": state_dir}
    sessions = Sessions(
        Settings.model_validate(settings),
        leases=book,
        states=book,
        delivery=book,
        accept=book.accept,
        patience=Patience(**json.loads(os.environ.get("PATIENCE", "{}"))),
    )
    running = asyncio.ensure_future(sessions.run())
    running.add_done_callback(_tell)
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    commands = Commands(book)
    obeying = set()
    while (line := await reader.readline()) and (command := json.loads(line))["do"] != "stop":
        obeying.add(asyncio.ensure_future(commands.obey(command)))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    say(event="stopped")
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
