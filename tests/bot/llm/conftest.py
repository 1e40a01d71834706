"""A fake provider beside each test, and a model opened on it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from bot.llm import Pace, Targets, open_model
from bot.llm_settings import Llm, Target
from handlers import Prompts, load_prompts
from tests.fakes.openai_server import FakeOpenAI

QUICK = Pace(tries=3, first_wait=0.01, longest_wait=0.02, patience=20.0)
"""Waits are short and limits long, so that a busy machine changes nothing."""

OpenModel = Callable[..., AbstractAsyncContextManager[Targets]]
Calls = list[tuple[str, str, float, int]]


@pytest.fixture(scope="session")
def prompts() -> Prompts:
    return load_prompts()


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as server:
        yield server


@pytest.fixture
async def second() -> AsyncIterator[FakeOpenAI]:
    """A second provider, for what happens when the first one fails."""
    async with FakeOpenAI() as server:
        yield server


@pytest.fixture
def calls() -> Calls:
    """What the metrics were told."""
    return []


@pytest.fixture
def open_on(prompts: Prompts, calls: Calls) -> OpenModel:
    """``open_on(fake, …)``: a model whose targets are these servers, named ``a``, ``b``, …"""

    def open_targets(
        *servers: FakeOpenAI, deadline: float = 30.0, pace: Pace = QUICK, **changes: Any
    ) -> AbstractAsyncContextManager[Targets]:
        targets = tuple(
            Target(**{**_target(name, server), **changes})
            for name, server in zip("abc", servers, strict=False)
        )
        return open_model(
            Llm(deadline_seconds=deadline, targets=targets),
            prompts,
            secrets=lambda _: "key-of-ours",
            on_call=lambda *call: calls.append(call),
            pace=pace,
        )

    return open_targets


def _target(name: str, server: FakeOpenAI) -> dict[str, Any]:
    return {"name": name, "model": f"model-{name}", "base_url": server.url, "try_seconds": 20.0}
