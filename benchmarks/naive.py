"""What one would write first: the same stores, the same writes, one call after another."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import openai
from motor.motor_asyncio import AsyncIOMotorClient
from redis.asyncio import Redis

from benchmarks import naive_rows as rows
from benchmarks.subject import Accept, Phones, Setting
from bot.cached_lines import decode, encode
from handlers import load_prompts
from handlers.answer import Answer
from handlers.brief import Briefs
from models import database
from models.conversation_document import from_document, to_document
from models.customers import Customer
from models.values import (
    AiMetadata,
    InboundMessage,
    Line,
    Sender,
    Turn,
)

LIMIT, WINDOW_SECONDS, KEPT_SECONDS, LINES = 10, 60, 3600, 20


class Naive:
    """Answers a message from beginning to end."""

    def __init__(self, mongo: Any, redis: Redis, client: openai.AsyncOpenAI, phones: Phones):
        self._documents = mongo.conversations
        self._redis = redis
        self._client = client
        self._phones = phones
        self._briefs = Briefs(load_prompts())

    async def accept(self, message: InboundMessage) -> None:
        """Keep, count, remember, ask, send, remember again."""
        customer = await rows.keep(message)
        if not await self._within_the_limit(message):
            return
        asked = Line(message.wa_id, message.sent_at, Sender.CUSTOMER, message.text)
        history = await self._history(message, customer)
        await self._remember(message, customer, asked)
        answer, ai = await self._ask(await rows.turn(message, customer, asked, history))
        row = await rows.record(message, customer, answer, ai)
        await rows.mark(message, row, state="sending")
        wa_id = self._phones.ring(message.chat)
        await rows.sent(message, customer, row, wa_id, ai)
        said = Line(wa_id, datetime.now(UTC), Sender.AGENT, answer.text, ai)
        await self._remember(message, customer, said)

    async def _within_the_limit(self, message: InboundMessage) -> bool:
        key = f"rate_limit:{message.company_id}:{message.phone}"
        count = await self._redis.incr(key)
        if count == 1:
            await self._redis.expire(key, WINDOW_SECONDS)
        return int(count) <= LIMIT

    async def _history(self, message: InboundMessage, customer: Customer) -> list[Line]:
        key = _context_key(message, customer)
        cached: Any = await self._redis.lrange(key, 0, -1)
        if cached:
            return list(map(decode, cached))
        found = await self._documents.find_one(
            _which(message, customer), {"messages": {"$slice": -LINES}}
        )
        lines = [from_document(line) for line in found["messages"]] if found else []
        if lines:
            await self._redis.rpush(key, *map(encode, lines))
            await self._redis.expire(key, KEPT_SECONDS)
        return lines

    async def _remember(self, message: InboundMessage, customer: Customer, line: Line) -> None:
        now = datetime.now(UTC)
        await self._documents.update_one(
            _which(message, customer),
            {
                "$push": {"messages": to_document(line)},
                "$inc": {"messageCount": 1},
                "$set": {"lastInteraction": line.at, "updatedAt": now},
                "$setOnInsert": {
                    "customerPhone": customer.phone,
                    "customerName": customer.name,
                    "stage": customer.stage,
                    "tags": [],
                    "createdAt": now,
                },
            },
            upsert=True,
        )
        key = _context_key(message, customer)
        await self._redis.rpush(key, encode(line))
        await self._redis.ltrim(key, -LINES, -1)
        await self._redis.expire(key, KEPT_SECONDS)

    async def _ask(self, turn: Turn) -> tuple[Answer, AiMetadata]:
        began = asyncio.get_running_loop().time()
        prompt = self._briefs.prompt(turn)
        completion = await self._client.chat.completions.parse(
            model="bench-1",
            messages=[{"role": one.role, "content": one.content} for one in prompt.messages],  # type: ignore[misc] # Roles are literals.
            response_format=Answer,
        )
        answer = completion.choices[0].message.parsed
        if answer is None or completion.usage is None:
            raise ValueError("the language model did not answer")
        seconds = asyncio.get_running_loop().time() - began
        ai = AiMetadata(completion.model, completion.usage.total_tokens, round(1000 * seconds))
        return answer, replace(
            ai, intent=answer.intent, sentiment=answer.sentiment, confidence=answer.confidence
        )


@asynccontextmanager
async def opened(setting: Setting) -> AsyncIterator[Accept]:
    """Every client with its library's own defaults; yields the whole pipeline."""
    mongo: Any = AsyncIOMotorClient(setting.urls.mongo, tz_aware=True)
    redis = Redis.from_url(setting.urls.redis)
    async with (
        database.connect(setting.urls.postgres),
        openai.AsyncOpenAI(api_key="none", base_url=setting.model_url) as client,
    ):
        naive = Naive(mongo[setting.mongo_database], redis, client, setting.phones)
        yield naive.accept
    await redis.aclose()
    mongo.close()


def _which(message: InboundMessage, customer: Customer) -> Mapping[str, str]:
    return {"companyId": str(message.company_id), "customerId": str(customer.id)}


def _context_key(message: InboundMessage, customer: Customer) -> str:
    return f"conversation_context:{message.company_id}:{customer.id}"
