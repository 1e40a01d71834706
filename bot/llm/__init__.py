"""The door to language models; without a configured target nothing heavy is imported."""

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

from bot.llm.asking import Door, OnCall, Pace
from bot.llm.offline import Offline
from bot.llm.targets import Targets
from bot.llm_settings import Llm, Target
from handlers.prompts import Prompts

__all__ = ["OnCall", "Pace", "Targets", "open_model"]

log = logging.getLogger(__name__)

Secrets = Callable[[str], str | None]


def _unheard(target: str, outcome: str, seconds: float, tokens: int) -> None:
    """Nobody listens."""


@asynccontextmanager
async def open_model(
    settings: Llm,
    prompts: Prompts,
    *,
    secrets: Secrets,
    on_call: OnCall = _unheard,
    pace: Pace | None = None,
) -> AsyncIterator[Targets]:
    """The configured targets that have their key, then ``offline``; pools close at the end."""
    usable = [target for target in settings.targets if _has_key(target, secrets)]
    async with AsyncExitStack() as stack:
        yield Targets(
            await _doors(stack, usable, secrets, pace=pace or Pace(), on_call=on_call),
            Offline(prompts),
            deadline_seconds=settings.deadline_seconds,
            description=_describe(settings.targets, usable),
            on_call=on_call,
        )


async def _doors(
    stack: AsyncExitStack,
    targets: Sequence[Target],
    secrets: Secrets,
    *,
    pace: Pace,
    on_call: OnCall,
) -> list[Door]:
    if not targets:
        return []
    # A second and sixty megabytes: only who has a target pays for it.
    from bot.llm.openai_target import open_target

    opened = [
        await stack.enter_async_context(open_target(target, _key(target, secrets)))
        for target in targets
    ]
    return [Door(target, pace=pace, on_call=on_call) for target in opened]


def _key(target: Target, secrets: Secrets) -> str | None:
    return secrets(target.api_key) if target.api_key else None


def _has_key(target: Target, secrets: Secrets) -> bool:
    return not target.api_key or bool(_key(target, secrets))


def _describe(targets: Sequence[Target], usable: Sequence[Target]) -> str:
    missing = [target for target in targets if target not in usable]
    left_out = "".join(
        f"; {target.name} is left out: no key {target.api_key}" for target in missing
    )
    if not usable:
        return f"offline (no LLM key configured{left_out})"
    asked = ", then ".join(
        f"{target.name} ({target.model} at {urlsplit(target.base_url).hostname})"
        for target in usable
    )
    return f"{asked}, then offline{left_out}"
