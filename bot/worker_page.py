"""What a worker says of itself: to ``/readyz`` and ``/status``, to systemd, at its start."""

import asyncio
import time
from functools import partial
from importlib.metadata import version
from typing import Any

from bot.engine import Engine
from bot.status import NOBODY, Question, kinds


class WorkerPage:
    """Gathers the truth afresh at each question."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._model = engine.model.describe()
        stores = engine.stores
        self._questions = (
            Question("PostgreSQL", engine.road.desk.workers, "no turn begins"),
            Question("Redis", stores.redis.ping, "the daemons answer themselves"),
            Question(
                "MongoDB",
                partial(stores.conversations.last, NOBODY, NOBODY, 1),
                "answers know only what the ledger holds of the history",
            ),
        )
        self._began = time.monotonic()

    async def problems(self) -> list[str]:
        """Why this worker is not ready; empty when it is."""
        asked = await asyncio.gather(*(question.ask() for question in self._questions))
        return [problem for problem, _ in asked if problem]

    async def status(self) -> dict[str, Any]:
        """What ``/status`` answers."""
        problems = await self.problems()
        return {
            "worker": self._engine.road.host.shard,
            "ready": not problems,
            "problems": problems,
            "turns": len(self._engine.road.slots.running),
            "stores": kinds(self._engine.settings.stores),
            "llm": self._model,
            "uptime_seconds": round(time.monotonic() - self._began),
            "version": version("lyrox"),
        }

    def line(self) -> str:
        """One line for ``systemctl status``."""
        turns = len(self._engine.road.slots.running)
        return f"{turns} turns at work; language model: {self._model}"

    def welcome(self, listen: str) -> list[str]:
        """What a person at the terminal needs after the start."""
        stores = kinds(self._engine.settings.stores).items()
        return [
            f"LYROX {version('lyrox')} answers; health and metrics on http://{listen}",
            f"stores: {', '.join(f'{name} {kind}' for name, kind in stores)}",
            f"language model: {self._model}",
        ]
