"""What single checks of ``lyrox doctor`` find, and what they keep to themselves."""

import re
from collections.abc import Callable

import pytest

from bot.cli import checks
from bot.cli.checks import Unwell
from bot.llm_settings import Target
from tests.bot.cli.conftest import Loopback


def at(place: str) -> Target:
    return Target(name="t", model="m", base_url=f"http://{place}/v1")


@pytest.mark.parametrize("key", ["sk-proj-1234\nsk-proj-5678", "sk-proj-1234é", "sk-proj-12\x7f34"])
async def test_a_key_that_no_header_may_have_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("LYROX_OPENAI_API_KEY", key)

    with pytest.raises(Unwell, match="openai_api_key holds characters that no header may") as told:
        await checks.target(at("127.0.0.1:9"))

    assert not re.search("sk-|1234|5678", str(told.value))


@pytest.mark.parametrize("status", [301, 302, 307])
async def test_a_key_stays_with_the_host_it_is_meant_for(
    monkeypatch: pytest.MonkeyPatch, loopback: Callable[[int, bytes], Loopback], status: int
) -> None:
    monkeypatch.setenv("LYROX_OPENAI_API_KEY", "sk-test")
    other, asked = loopback(200, b"{}"), loopback(status, b"")
    asked.moved_to = f"http://localhost:{other.server_port}/v1/models"

    with pytest.raises(Unwell, match=rf"answers {status}.+ base_url"):
        await checks.target(at(asked.place))

    assert other.asked == []
