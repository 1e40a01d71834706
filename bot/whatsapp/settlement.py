"""What became of a send nobody saw the end of, asked through a small process of its own.

``python -m bot.whatsapp.settlement`` answers one JSON line for each JSON line it reads and ends
when its input ends, so it never outlives the daemon.
"""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bot.whatsapp.identity import jid_parts
from bot.wire import Settlement, Unsettled
from models.errors import OwnerMustAct, RetryLater


class SessionDamaged(OwnerMustAct):
    """The session file cannot be repaired; the phone must be paired again."""


class SessionBooks:
    """Answers from the session files; starts its process when first asked, and again if it died.

    Every question raises RetryLater when the file cannot be read now, and SessionDamaged when it
    never will.
    """

    def __init__(self, *, limit: float = 15.0) -> None:
        self._limit = limit
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    async def device(self, session: Path) -> dict[str, str] | None:
        """The paired device's ``jid``, ``lid`` and ``platform``, or None."""
        answer: dict[str, str] | None = await self._ask("device", session)
        return answer

    async def sessions_hash(self, session: Path, chat: str) -> str:
        """A hash of the ratchets with the chat's person."""
        return str(await self._ask("sessions_hash", session, jid_parts(chat)[0]))

    async def settle(self, session: Path, sends: Sequence[Unsettled]) -> list[Settlement]:
        """One verdict a send; in doubt it was sent, because nothing may be said twice."""
        return [await self._settle(session, send) for send in sends]

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.stdin.close()  # type: ignore[union-attr]  # Opened as a pipe below.
            await process.wait()

    async def _settle(self, session: Path, send: Unsettled) -> Settlement:
        wa_id = await self._ask("sent_id", session, send.secret.hex())
        if wa_id is None:
            return Settlement(send.outbox_id, sent=False)
        now = await self.sessions_hash(session, send.chat)
        if send.sessions_hash is not None and send.sessions_hash == now:
            return Settlement(send.outbox_id, sent=False)
        return Settlement(send.outbox_id, sent=True, wa_id=str(wa_id))

    async def _ask(self, question: str, session: Path, value: str = "") -> Any:
        line = json.dumps({"ask": question, "file": str(session), "value": value})
        async with self._turn:
            try:
                async with asyncio.timeout(self._limit):  # wait_for could swallow a cancel.
                    answer = await self._exchange(line)
            except (OSError, ValueError, TimeoutError, asyncio.CancelledError) as error:
                self._forget()
                if isinstance(error, asyncio.CancelledError):
                    raise
                raise RetryLater(f"{session.name} could not be read: {error}") from error
        if "damage" in answer:
            raise SessionDamaged(f"{session.name}: {answer['damage']}")
        if "error" in answer:
            raise RetryLater(f"{session.name} could not be read: {answer['error']}")
        return answer["answer"]

    async def _exchange(self, line: str) -> dict[str, Any]:
        process = await self._running()
        stdin, stdout = process.stdin, process.stdout
        if stdin is None or stdout is None:
            raise OSError("the settlement process has no pipes")
        stdin.write(f"{line}\n".encode())
        await stdin.drain()
        answer: dict[str, Any] = json.loads(await stdout.readline())
        return answer

    async def _running(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot.whatsapp.settlement", stdin=PIPE, stdout=PIPE
            )
        return self._process

    def _forget(self) -> None:
        """A half-read answer would be taken for the next one's."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()


def answer(question: Mapping[str, str], questions: Mapping[str, Callable[..., Any]]) -> str:
    """The JSON line for one question."""
    from bot.whatsapp.session_file import Damaged

    try:
        found = questions[question["ask"]](Path(question["file"]), question["value"])
    except Damaged as error:
        return json.dumps({"damage": str(error)})
    except (OSError, ValueError, KeyError) as error:
        return json.dumps({"error": str(error) or type(error).__name__})
    return json.dumps({"answer": found})


def main() -> None:
    """Answer until the input ends."""
    from bot.whatsapp import session_file  # Only this process may hold a SQLite of its own.

    questions = MappingProxyType(
        {
            "device": lambda path, _: session_file.device(path),
            "sent_id": lambda path, value: session_file.sent_id(path, bytes.fromhex(value)),
            "sessions_hash": session_file.sessions_hash,
        }
    )
    for line in sys.stdin:
        sys.stdout.write(answer(json.loads(line), questions) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
