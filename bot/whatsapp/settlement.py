"""What became of a send nobody saw the end of, asked through a small process of its own.

``python -m bot.whatsapp.settlement`` answers one JSON line for each JSON line it reads and ends
when its input ends, so it never outlives the daemon.
"""

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bot.whatsapp.identity import jid_parts
from bot.wire import Settlement, Unsettled
from models.errors import OwnerMustAct, RetryLater

_END_LIMIT = 1.0


class SessionDamaged(OwnerMustAct):
    """The session file cannot be repaired; the phone must be paired again."""


class _Helper:
    """The running process; its answers come in the order of the questions."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._asked: deque[asyncio.Future[dict[str, Any]]] = deque()
        self._reading = asyncio.ensure_future(self._read())

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return not self._reading.done()

    async def ask(self, line: str) -> dict[str, Any]:
        """Its answer, which nobody else gets if we stop waiting. Raises OSError when it ends."""
        if self.process.stdin is None:
            raise OSError("the settlement process has no input")
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._asked.append(answer)
        self.process.stdin.write(f"{line}\n".encode())
        return await answer

    async def close(self) -> None:
        """Let it end with its input; one that does not see the end of it is killed."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            async with asyncio.timeout(_END_LIMIT):
                await self.process.wait()
        except TimeoutError:
            self.kill()
            await self.process.wait()
        await self._reading

    def kill(self) -> None:
        """It does not answer."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    async def _read(self) -> None:
        stdout = self.process.stdout
        while stdout is not None and (line := await stdout.readline()):
            answer = self._asked.popleft()
            if not answer.done():
                answer.set_result(json.loads(line))
        for answer in self._asked:
            if not answer.done():
                answer.set_exception(OSError("the settlement process has ended"))


class SessionBooks:
    """Answers from the session files; starts its process when first asked, and again if it died.

    Every question raises RetryLater when the file cannot be read now, and SessionDamaged when it
    never will. Questions wait in one line, so each costs only its own time.
    """

    def __init__(self, *, limit: float = 15.0, program: str = sys.executable) -> None:
        self._limit = limit
        self._program = program
        self._helper: _Helper | None = None
        self._starting = asyncio.Lock()

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
        helper, self._helper = self._helper, None
        if helper is not None:
            await helper.close()

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
        helper = await self._running()
        try:
            async with asyncio.timeout(self._limit):  # wait_for could swallow a cancel.
                answer = await helper.ask(line)
        except (OSError, TimeoutError) as error:
            self._forget(helper)
            why = str(error) or "no answer in time"
            raise RetryLater(f"{session.name} could not be read: {why}") from error
        if "damage" in answer:
            raise SessionDamaged(f"{session.name}: {answer['damage']}")
        if "error" in answer:
            raise RetryLater(f"{session.name} could not be read: {answer['error']}")
        return answer["answer"]

    async def _running(self) -> _Helper:
        async with self._starting:
            if self._helper is None or not self._helper.alive:
                self._helper = _Helper(await self._start())
        return self._helper

    async def _start(self) -> Process:
        try:
            return await asyncio.create_subprocess_exec(
                *(self._program, "-m", "bot.whatsapp.settlement"), stdin=PIPE, stdout=PIPE
            )
        except OSError as error:
            raise RetryLater(f"no process that reads session files can begin: {error}") from error

    def _forget(self, helper: _Helper) -> None:
        helper.kill()
        if self._helper is helper:
            self._helper = None


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

    with contextlib.closing(session_file.Ratchets()) as ratchets:
        questions = MappingProxyType(
            {
                "device": lambda path, _: session_file.device(path),
                "sent_id": lambda path, value: session_file.sent_id(path, bytes.fromhex(value)),
                "sessions_hash": ratchets.sessions_hash,
            }
        )
        for line in sys.stdin:
            sys.stdout.write(answer(json.loads(line), questions) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
