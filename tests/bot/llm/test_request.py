"""What a target is sent, which other servers may not understand."""

import json
from typing import Any

import httpx2
import pytest

from bot.llm.openai_target import OpenAiTarget
from bot.llm_settings import Target
from handlers.base import Message

OWN = {"store", "prompt_cache_key"}
SAID = {"choices": [{"message": {"content": "{}"}}]}
TOLD = (Message("system", "Eres “Ñandú”"), Message("user", "¿y el precio?"))


async def sent(**changes: Any) -> dict[str, Any]:
    """The body of one request, every name in it once."""
    settings = Target(name="a", model="model-a", **changes)
    bodies: list[bytes] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        bodies.append(request.content)
        return httpx2.Response(200, json=SAID)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
        target = OpenAiTarget(settings, http, httpx2.URL(settings.base_url), {})
        await target.ask(TOLD, "company-1")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    body: dict[str, Any] = json.loads(bodies[0], object_pairs_hook=once)
    return body


@pytest.mark.parametrize(
    ("url", "own"), [("https://api.openai.com/v1", OWN), ("http://127.0.0.1:1/v1", set())]
)
async def test_only_openai_gets_what_others_may_not_know(url: str, own: set[str]) -> None:
    body = await sent(base_url=url)

    assert body.keys() == {"model", "response_format", "messages"} | own
    assert body.get("prompt_cache_key") == ("company-1" if own else None)
    assert body["messages"] == [
        {"role": "system", "content": "Eres “Ñandú”"},
        {"role": "user", "content": "¿y el precio?"},
    ]


async def test_the_operators_own_parameters_go_before_ours_but_never_before_the_words() -> None:
    body = await sent(params={"store": True, "top_p": 0.5, "model": "other", "messages": []})

    assert (body["store"], body["top_p"], body["model"]) == (True, 0.5, "other")
    assert len(body["messages"]) == 2
