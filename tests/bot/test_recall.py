"""What was said before: read once, ahead of the turn, and never too old."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from bot.context_cache import ContextCache
from bot.lanes import Chat
from bot.recall import FRESH_SECONDS, Recall
from bot.redis_store import RedisStore
from models.conversations import Conversations, open_conversations
from models.ledger import Ledger
from models.values import CustomerRef, Line, Sender


@pytest.fixture
async def conversations(mongo_url: str, mongo_database: str) -> AsyncIterator[Conversations]:
    async with open_conversations(mongo_url, mongo_database) as opened:
        yield opened


@pytest.fixture
async def chat(conversations: Conversations) -> Chat:
    """A chat in which "hola" was said."""
    chat = (uuid4(), uuid4())
    await say(conversations, chat, "hola")
    return chat


async def unasked(function: str, *_: object) -> Any:
    raise AssertionError(f"{function} is asked although MongoDB answers")


async def say(conversations: Conversations, chat: Chat, text: str) -> Line:
    line = Line(text, datetime.now(UTC), Sender.CUSTOMER, text)
    await conversations.append(chat[0], CustomerRef(chat[1], "+13055550100"), [line])
    return line


async def test_a_turn_finds_what_was_read_ahead_of_it(
    redis: RedisStore, conversations: Conversations, chat: Chat
) -> None:
    cache = ContextCache(redis)
    recall = Recall(cache, conversations, Ledger(unasked))
    recall.begin(chat)

    lines = await recall.lines(chat)

    assert [line.text for line in lines] == ["hola"]
    assert cache.misses == 1


async def test_a_reading_serves_one_turn(
    redis: RedisStore, conversations: Conversations, chat: Chat
) -> None:
    recall = Recall(ContextCache(redis), conversations, Ledger(unasked))
    recall.begin(chat)
    await recall.lines(chat)
    await say(conversations, chat, "otra vez")

    assert [line.text for line in await recall.lines(chat)] == ["hola", "otra vez"]


async def test_an_old_reading_is_not_used(
    redis: RedisStore, conversations: Conversations, chat: Chat
) -> None:
    recall = Recall(ContextCache(redis), conversations, Ledger(unasked))
    recall.begin(chat)
    await asyncio.sleep(FRESH_SECONDS + 0.1)
    await say(conversations, chat, "otra vez")

    assert [line.text for line in await recall.lines(chat)] == ["hola", "otra vez"]


async def test_what_was_read_goes_into_the_cache_with_the_reply(
    redis: RedisStore, conversations: Conversations, chat: Chat
) -> None:
    cache = ContextCache(redis)
    recall = Recall(cache, conversations, Ledger(unasked))
    await recall.lines(chat)
    reply = Line("reply", datetime.now(UTC), Sender.AGENT, "claro")

    assert await cache.push(*chat, [reply])

    assert [line.text for line in await recall.lines(chat)] == ["hola", "claro"]
    assert cache.hits == 1


async def test_without_a_reply_what_was_read_goes_into_the_cache_alone(
    redis: RedisStore, conversations: Conversations, chat: Chat
) -> None:
    cache = ContextCache(redis)
    recall = Recall(cache, conversations, Ledger(unasked))
    await recall.lines(chat)

    await recall.nobody_replies(chat)

    assert [line.text for line in await recall.lines(chat)] == ["hola"]
    assert cache.hits == 1
