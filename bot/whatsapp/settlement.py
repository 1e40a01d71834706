"""What became of a send nobody saw the end of, asked through a small process of its own.

``python -m bot.whatsapp.settlement`` answers one JSON line for each JSON line it reads and ends
when its input ends, so it never outlives the daemon.
"""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

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
        """End the process; one that does not see the end of its input is killed."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.stdin.close()  # type: ignore[union-attr]  # Opened as a pipe below.
        try:
            await asyncio.wait_for(process.wait(), _END_LIMIT)
        except TimeoutError:
            process.kill()
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
                self._helper = _Helper(
                    await asyncio.create_subprocess_exec(
                        *(sys.executable, "-m", "bot.whatsapp.settlement"), stdin=PIPE, stdout=PIPE
                    )
                )
        return self._helper

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
