"""What is opened, what is said about it at start, and what is not paid for."""

import subprocess
import sys

import pytest

from bot.llm import open_model
from bot.llm_settings import Llm, Target
from handlers import Prompts
from handlers.brief import Briefs
from tests.handlers.making import turn

HOSTED = Target(name="gpt", model="some-model")
LOCAL = Target(name="local", model="llama", base_url="http://127.0.0.1:11434/v1", api_key="")


@pytest.mark.parametrize(
    ("targets", "key", "said"),
    [
        ((), None, "offline (no LLM key configured)"),
        (
            (HOSTED,),
            None,
            "offline (no LLM key configured; gpt is left out: no key openai_api_key)",
        ),
        ((HOSTED,), "k", "gpt (some-model at api.openai.com), then offline"),
        (
            (HOSTED, LOCAL),
            None,
            "local (llama at 127.0.0.1), then offline; gpt is left out: no key openai_api_key",
        ),
    ],
)
async def test_the_start_up_line_names_who_is_asked(
    targets: tuple[Target, ...], key: str | None, said: str, prompts: Prompts
) -> None:
    async with open_model(Llm(targets=targets), prompts, secrets=lambda _: key) as model:
        assert model.describe() == said


async def test_without_a_key_everything_is_answered_by_the_rules(prompts: Prompts) -> None:
    async with open_model(Llm(targets=(HOSTED,)), prompts, secrets=lambda _: None) as model:
        completion = await model.complete(Briefs(prompts).prompt(turn("¿qué opinas de la luna?")))

    assert (completion.model, completion.target, completion.tokens) == ("offline", "offline", 0)
    assert completion.answer.text == prompts.phrases.generic


def test_without_a_target_the_heavy_client_is_never_imported() -> None:
    code = """
import asyncio, sys
from bot.llm_settings import Llm
from bot.llm import open_model
from handlers import build, load_prompts
from handlers.brief import Briefs

async def main():
    prompts = load_prompts()
    async with open_model(Llm(), prompts, secrets=lambda _: None) as model:
        build(model, prompts, 60)

asyncio.run(main())
print([name for name in ("openai", "httpx2", "aiohttp") if name in sys.modules])
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )

    assert run.stdout.strip() == "[]"
