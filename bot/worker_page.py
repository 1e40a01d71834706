"""What a worker says of itself: to ``/readyz`` and ``/status``, to systemd, at its start."""

import time
from functools import partial
from importlib.metadata import version
from typing import Any

from bot.conditions import models_away
from bot.degraded import Mode, Problem
from bot.engine import Engine
from bot.questions import STORE_SECONDS, Lookout, Question
from bot.status import NOBODY, kinds


class WorkerPage:
    """Gathers the truth afresh at each question."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._model = engine.model.describe()
        stores = engine.stores
        questions = (
            Question(Mode.POSTGRES, engine.road.desk.workers, "no turn begins"),
            Question(Mode.REDIS, stores.redis.ping, "the daemons answer themselves"),
            Question(
                Mode.MONGO,
                partial(stores.conversations.last, NOBODY, NOBODY, 1),
                "answers know the history by cache and ledger",
            ),
        )
        conditions = (models_away(engine.model.states),)
        self._lookout = Lookout(questions, conditions, engine.degraded)
        self._began = time.monotonic()

    async def problems(self) -> list[str]:
        """Why this worker is not ready; empty when it is."""
        return [problem.sentence for problem in await self.look()]

    async def look(self, seconds: float = STORE_SECONDS) -> list[Problem]:
        """What is amiss; each store is asked for *seconds*."""
        return (await self._lookout.look(seconds=seconds))[0]

    async def status(self) -> dict[str, Any]:
        """What ``/status`` answers."""
        problems = await self.look()
        return {
            "worker": self._engine.road.host.shard,
            "ready": not problems,
            "problems": [problem.sentence for problem in problems],
            "degraded": self._lookout.told(problems),
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
