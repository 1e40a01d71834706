"""All that a provider of language models can do to us, by name."""

import random
from collections.abc import Mapping, Sequence

from aiohttp import web

from tests.fakes.openai_server import (
    SECRET,
    Act,
    body,
    dribbles,
    drops,
    fails,
    hangs,
    refuses,
    truncates,
    writes,
)

LONGER_THAN_ANY_DEADLINE = 60.0

PASSING: Mapping[str, Act] = {
    "401": fails(401),
    "403": fails(403),
    "404": fails(404),
    "429": fails(429),
    "429, Retry-After 1": fails(429, Retry_After="1"),
    "429, Retry-After 600": fails(429, Retry_After="600"),
    "429, quota used up": fails(429, code="insufficient_quota"),
    "500": fails(500),
    "503": fails(503),
    "hang": hangs(LONGER_THAN_ANY_DEADLINE),
    "dribble": dribbles(0.05, 1200),
    "dropped before the answer": drops(),
    "dropped in the answer": drops(after=SECRET.encode()),
    "broken JSON": body(b'{"choices": [{' + SECRET.encode()),
    "a page of HTML": body(SECRET.encode(), content_type="text/html"),
    "not the schema": writes(f'{{"error": "{SECRET}"}}'),
    "truncated": truncates(),
    "empty": writes(""),
    "nothing at all": writes(None),
}
"""What may be better later: the turn is tried again."""

FINAL: Mapping[str, Act] = {
    "refusal": refuses(),
    "content filter": writes(SECRET, finish="content_filter"),
    "400": fails(400),
}
"""What will be no better later: the chat goes to a person, who is told so."""


def now_and_then(acts: Sequence[Act], well: Act, share: float, dice: random.Random) -> Act:
    """One of *acts*, by chance, in this *share* of the requests; else all is well."""

    async def act(request: web.Request) -> web.StreamResponse:
        return await (dice.choice(acts) if dice.random() < share else well)(request)

    return act


def provider_words(texts: Sequence[str]) -> list[str]:
    """The texts that hold anything of what a provider said in its failures."""
    words = [word for word in SECRET.split() if len(word) > 2]
    return [text for text in texts if any(word in text for word in words)]
