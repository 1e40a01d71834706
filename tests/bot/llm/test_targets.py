"""The whole way through the real client, against every way a provider can fail."""

import json
import logging
import time

import pytest

from handlers import Prompts
from handlers.brief import Briefs
from models.errors import GiveUp, RetryLater
from tests.bot.llm.conftest import Calls, OpenModel
from tests.fakes.openai_server import (
    SECRET,
    TEXT,
    Act,
    FakeOpenAI,
    answer,
    body,
    dribbles,
    drops,
    fails,
    hangs,
    refuses,
    says,
    writes,
)
from tests.handlers.making import turn

UNKNOWN = "¿me ayudas a entender la vida, el universo y todo lo demás?"
"""Nothing the built-in rules know."""


def outcomes(calls: Calls, target: str = "a") -> list[str]:
    return [outcome for name, outcome, _, _ in calls if name == target]


async def test_an_answer_brings_its_metadata(
    prompts: Prompts, fake: FakeOpenAI, open_on: OpenModel, calls: Calls
) -> None:
    async with open_on(fake) as model:
        completion = await model.complete(Briefs(prompts).prompt(turn(UNKNOWN)))

    assert completion.answer.text == TEXT
    assert (completion.target, completion.model, completion.tokens) == ("a", "model-a", 120)
    assert 0 < completion.seconds < 20
    assert outcomes(calls) == ["answered"]
    assert calls[0][3] == 120


async def test_the_request_is_whole_and_strict(
    prompts: Prompts, fake: FakeOpenAI, open_on: OpenModel
) -> None:
    async with open_on(fake, params={"temperature": 0.2}) as model:
        await model.complete(Briefs(prompts).prompt(turn("hola", "¿y el precio?")))

    sent = fake.requests[0]
    assert sent["model"] == "model-a"
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert "¿y el precio?" in sent["messages"][-1]["content"]
    assert sent["response_format"]["json_schema"]["strict"] is True
    assert sent["temperature"] == 0.2
    assert not {"store", "prompt_cache_key", "stream"} & sent.keys()
    assert fake.headers[0]["Authorization"] == "Bearer key-of-ours"


@pytest.mark.parametrize(
    ("act", "outcome"),
    [
        (fails(429), "rate_limited"),
        (fails(429, retry_after_ms="20"), "rate_limited"),
        (fails(500), "server_error"),
        (fails(503), "server_error"),
        (fails(529), "server_error"),
        (fails(408), "server_error"),
        (drops(), "connection"),
        (drops(after=b'{"choices": ['), "connection"),
        (body(b"{not json"), "bad_json"),
        (body(b"[1, 2]"), "bad_json"),
        (body(b'"words"', content_type="text/plain"), "bad_json"),
        (body(b"<html>busy</html>", content_type="text/html"), "bad_json"),
        (body(b""), "bad_json"),
        (body(b"[" * 100_000), "bad_json"),
    ],
)
async def test_what_may_pass_is_tried_again(
    act: Act, outcome: str, prompts: Prompts, fake: FakeOpenAI, open_on: OpenModel, calls: Calls
) -> None:
    fake.script(act)

    async with open_on(fake) as model:
        completion = await model.complete(Briefs(prompts).prompt(turn(UNKNOWN)))

    assert completion.answer.text == TEXT
    assert outcomes(calls) == [outcome, "answered"]


@pytest.mark.parametrize("act", [hangs(20), dribbles()])
async def test_what_takes_too_long_is_tried_again(
    act: Act, prompts: Prompts, fake: FakeOpenAI, open_on: OpenModel, calls: Calls
) -> None:
    fake.script(act)

    async with open_on(fake, try_seconds=0.6) as model:
        completion = await model.complete(Briefs(prompts).prompt(turn(UNKNOWN)))

    first, *_, last = outcomes(calls)
    assert completion.answer.text == TEXT
    assert (first, last) == ("timeout", "answered")


@pytest.mark.parametrize(
    ("act", "outcome"),
    [
        (fails(401), "auth"),
        (fails(403), "auth"),
        (fails(404), "not_found"),
        (fails(402), "quota"),
        (fails(429, code="insufficient_quota"), "quota"),
        (fails(400), "rejected"),
        (fails(413), "rejected"),
        (fails(422), "rejected"),
        (fails(400, code="context_length_exceeded"), "rejected"),
        (fails(400, code="content_filter"), "refused"),
        (fails(503, x_should_retry="false"), "server_error"),
        (fails(429, retry_after="300"), "rate_limited"),
        (refuses(), "refused"),
        (writes("…", finish="content_filter"), "refused"),
    ],
)
async def test_what_will_not_pass_goes_to_the_next_target_at_once(
    act: Act,
    outcome: str,
    prompts: Prompts,
    fake: FakeOpenAI,
    second: FakeOpenAI,
    open_on: OpenModel,
    calls: Calls,
) -> None:
    fake.always(act)

    async with open_on(fake, second) as model:
        completion = await model.complete(Briefs(prompts).prompt(turn(UNKNOWN)))

    assert completion.target == "b"
    assert outcomes(calls) == [outcome]
    assert outcomes(calls, "b") == ["answered"]


@pytest.mark.parametrize(
    "act",
    [
        writes("no soy JSON"),
        writes("{}"),
        writes(json.dumps(answer(intent="venta"))),
        writes(json.dumps({**answer(), "extra": 1})),
        writes(json.dumps(answer(text="   "))),
        writes('{"intent": "greeting", "text": "a medi', finish="length"),
        writes(""),
        writes(None),
        writes("[" * 50_000),
        body(b'{"choices": [], "usage": null}'),
        body(b'{"choices": ["x"], "usage": {"total_tokens": "many"}}'),
        body(b'{"choices": [{"message": {"content": ["a"]}}]}'),
    ],
)
async def test_an_unreadable_answer_is_repaired_once(
    act: Act, prompts: Prompts, fake: FakeOpenAI, open_on: OpenModel
) -> None:
    fake.script(act)

    async with open_on(fake) as model:
        completion = await model.complete(Briefs(prompts).prompt(turn(UNKNOWN)))

    assert completion.answer.text == TEXT
    assert len(fake.requests) == 2
    roles = [message["role"] for message in fake.requests[1]["messages"][-2:]]
    assert roles == ["assistant", "user"]
    assert fake.requests[1]["messages"][-1]["content"] == prompts.repair


async def test_the_readable_part_of_an_answer_is_rescued_when_the_repair_fails(
    prompts: Prompts, fake: FakeOpenAI, open_on: OpenModel
) -> None:
    fake.always(writes(json.dumps({"intent": "venta", "confidence": "mucha", "text": "Hola, Ana"})))

    async with open_on(fake) as model:
        completion = await model.complete(Briefs(prompts).prompt(turn(UNKNOWN)))

    assert completion.answer.text == "Hola, Ana"
    assert completion.answer.intent == "other"
    assert completion.answer.actions == []
    assert (completion.tokens, completion.prompt_tokens) == (240, 200)


async def test_a_fence_around_the_object_is_forgiven(
    prompts: Prompts, fake: FakeOpenAI, open_on: OpenModel
) -> None:
    fake.script(writes(f"Claro:\n```json\n{json.dumps(answer('Listo'))}\n```"))

    async with open_on(fake) as model:
        completion = await model.complete(Briefs(prompts).prompt(turn(UNKNOWN)))

    assert completion.answer.text == "Listo"
    assert len(fake.requests) == 1


@pytest.mark.parametrize(
    "usage", [b"null", b'{"prompt_tokens": null}', b"[]", b'{"total_tokens": -4}']
)
async def test_missing_usage_counts_as_nothing(
    usage: bytes, prompts: Prompts, fake: FakeOpenAI, open_on: OpenModel
) -> None:
    content = json.dumps(json.dumps(answer())).encode()
    fake.script(
        body(b'{"choices": [{"message": {"content": %b}}], "usage": %b}' % (content, usage))
    )

    async with open_on(fake) as model:
        completion = await model.complete(Briefs(prompts).prompt(turn(UNKNOWN)))

    assert (completion.tokens, completion.prompt_tokens) == (0, None)


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (b'{"prompt_tokens": 90, "completion_tokens": 10}', (100, 90)),
        (b'{"total_tokens": 100}', (100, None)),
        (b'{"prompt_tokens": 200, "total_tokens": 100}', (100, None)),
    ],
)
async def test_tokens_are_told_apart_where_the_provider_does(
    usage: bytes,
    cost: tuple[int, int | None],
    prompts: Prompts,
    fake: FakeOpenAI,
    open_on: OpenModel,
) -> None:
    content = json.dumps(json.dumps(answer())).encode()
    fake.script(
        body(b'{"choices": [{"message": {"content": %b}}], "usage": %b}' % (content, usage))
    )

    async with open_on(fake) as model:
        completion = await model.complete(Briefs(prompts).prompt(turn(UNKNOWN)))

    assert (completion.tokens, completion.prompt_tokens) == cost


async def test_a_hanging_target_leaves_time_for_the_next(
    prompts: Prompts, fake: FakeOpenAI, second: FakeOpenAI, open_on: OpenModel
) -> None:
    fake.always(hangs(20))

    async with open_on(fake, second, deadline=3.0, try_seconds=3.0) as model:
        completion = await model.complete(Briefs(prompts).prompt(turn(UNKNOWN)))

    assert completion.target == "b"
    assert completion.seconds < 3.0


async def test_the_deadline_holds_however_the_targets_fail(
    prompts: Prompts, fake: FakeOpenAI, second: FakeOpenAI, open_on: OpenModel
) -> None:
    fake.always(hangs(20))
    second.always(dribbles())
    began = time.monotonic()

    async with open_on(fake, second, deadline=0.7, try_seconds=5.0) as model:
        with pytest.raises(RetryLater):
            await model.complete(Briefs(prompts).prompt(turn(UNKNOWN)))

    assert time.monotonic() - began < 2.0  # A single try might take five.


async def test_without_any_answer_the_turn_is_tried_later(
    prompts: Prompts, fake: FakeOpenAI, second: FakeOpenAI, open_on: OpenModel
) -> None:
    fake.always(fails(500))
    second.always(fails(429))

    async with open_on(fake, second) as model:
        with pytest.raises(RetryLater) as caught:
            await model.complete(Briefs(prompts).prompt(turn(UNKNOWN)))

    assert str(caught.value) == "no language model answered (server_error, rate_limited)"
    assert (len(fake.requests), len(second.requests)) == (3, 3)


async def test_a_request_that_all_refuse_is_given_up(
    prompts: Prompts, fake: FakeOpenAI, second: FakeOpenAI, open_on: OpenModel
) -> None:
    fake.always(refuses())
    second.always(fails(422))

    async with open_on(fake, second) as model:
        with pytest.raises(GiveUp):
            await model.complete(Briefs(prompts).prompt(turn(UNKNOWN)))


async def test_when_every_provider_is_down_a_price_is_still_told(
    prompts: Prompts, fake: FakeOpenAI, open_on: OpenModel
) -> None:
    fake.always(fails(500))

    async with open_on(fake) as model:
        completion = await model.complete(Briefs(prompts).prompt(turn("¿cuánto cuesta el reto?")))

    assert (completion.model, completion.tokens) == ("offline", 0)
    assert "78.00 USD" in completion.answer.text


async def test_a_failing_target_is_left_alone_after_five_faults(
    prompts: Prompts, fake: FakeOpenAI, second: FakeOpenAI, open_on: OpenModel, calls: Calls
) -> None:
    fake.always(fails(401))

    async with open_on(fake, second) as model:
        for _ in range(8):
            await model.complete(Briefs(prompts).prompt(turn(UNKNOWN)))
        states = model.states()

    assert outcomes(calls) == ["auth"] * 5 + ["skipped"] * 3
    assert states == {"a": "open", "b": "closed"}


async def test_requests_we_got_wrong_do_not_open_the_breaker(
    prompts: Prompts, fake: FakeOpenAI, second: FakeOpenAI, open_on: OpenModel
) -> None:
    fake.always(fails(400))

    async with open_on(fake, second) as model:
        for _ in range(8):
            await model.complete(Briefs(prompts).prompt(turn(UNKNOWN)))

        assert model.states()["a"] == "closed"


@pytest.mark.parametrize(
    "act", [fails(401), fails(429), fails(500), fails(400), refuses(), body(SECRET.encode())]
)
async def test_nothing_of_the_providers_words_is_logged_or_raised(
    act: Act,
    prompts: Prompts,
    fake: FakeOpenAI,
    open_on: OpenModel,
    caplog: pytest.LogCaptureFixture,
) -> None:
    fake.always(act)
    caplog.set_level(logging.INFO)

    async with open_on(fake) as model:
        with pytest.raises((RetryLater, GiveUp)) as caught:
            await model.complete(Briefs(prompts).prompt(turn(UNKNOWN)))

    seen = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    assert seen
    assert not any("PROVIDER-WORDS" in text for text in [*seen, str(caught.value)])
    assert caught.value.__cause__ is None


async def test_many_requests_share_one_pool(
    prompts: Prompts, open_on: OpenModel, fake: FakeOpenAI
) -> None:
    fake.always(says())
    briefs = Briefs(prompts)

    async with open_on(fake) as model:
        for _ in range(20):
            await model.complete(briefs.prompt(turn(UNKNOWN)))

    assert len(fake.requests) == 20
