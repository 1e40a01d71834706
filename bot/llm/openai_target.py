"""The one place that knows the openai package; imported only when a target is configured."""

import json
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx2
import openai

from bot.llm.faults import Fault, Outcome, status_outcome
from bot.llm.reading import Said, said
from bot.llm.retry_after import retry_after
from bot.llm_settings import Target as TargetSettings
from handlers.answer import answer_schema
from handlers.base import Message

_FORMAT = {
    "type": "json_schema",
    "json_schema": {"name": "Answer", "strict": True, "schema": answer_schema()},
}
_LIMITS = httpx2.Limits(max_connections=128, max_keepalive_connections=64, keepalive_expiry=60)
_OWN_HOST = "api.openai.com"


class OpenAiTarget:
    """One OpenAI-compatible endpoint, asked once for each call."""

    def __init__(self, settings: TargetSettings, client: openai.AsyncOpenAI) -> None:
        self.name = settings.name
        self.model = settings.model
        self.try_seconds = settings.try_seconds
        self._params = settings.params
        self._own = urlsplit(settings.base_url).hostname == _OWN_HOST
        self._post = client.post

    async def ask(self, messages: Sequence[Message], cache_key: str) -> Said:
        """What the model wrote. Everything that goes wrong is a `Fault`."""
        # Not chat.completions.create: it would walk each message for ten milliseconds.
        body = self._body(messages, cache_key)
        try:
            response = await self._post("/chat/completions", cast_to=httpx2.Response, body=body)
        except openai.APIStatusError as error:
            raise _status_fault(error) from None
        except openai.APIConnectionError as error:
            raise Fault(_connection_outcome(error)) from None
        except (openai.OpenAIError, json.JSONDecodeError):
            raise Fault(Outcome.BAD_JSON) from None
        return said(response.content)

    def _body(self, messages: Sequence[Message], cache_key: str) -> dict[str, object]:
        # Compatible servers may reject fields they do not know.
        own = {"store": False, "prompt_cache_key": cache_key} if self._own else {}
        told = [{"role": message.role, "content": message.content} for message in messages]
        given = {"model": self.model, "response_format": _FORMAT}
        return {**given, **own, **self._params, "messages": told}


@asynccontextmanager
async def open_target(settings: TargetSettings, key: str | None) -> AsyncIterator[OpenAiTarget]:
    """The target with its own connection pool, closed at the end."""
    # It logs each request, with the server's own words, at INFO.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    async with openai.AsyncOpenAI(
        api_key=key or "none",
        base_url=settings.base_url,
        max_retries=0,
        timeout=settings.try_seconds,
        http_client=openai.DefaultAioHttpClient(limits=_LIMITS),
    ) as client:
        yield OpenAiTarget(settings, client)


def _status_fault(error: openai.APIStatusError) -> Fault:
    headers = error.response.headers
    outcome = status_outcome(error.status_code, {str(error.code), str(error.type)})
    forbidden = headers.get("x-should-retry", "").lower() == "false"
    return Fault(
        outcome,
        retry_after=retry_after(headers, now=datetime.now(UTC)),
        retryable=False if forbidden else None,
        request_id=error.request_id,
    )


def _connection_outcome(error: openai.APIConnectionError) -> Outcome:
    """The client calls a refused or dropped connection a timeout too: the first cause tells."""
    cause: BaseException | None = error
    while isinstance(cause, (openai.OpenAIError, httpx2.HTTPError)):
        cause = cause.__cause__ or cause.__context__
    named = TimeoutError if cause else openai.APITimeoutError
    return Outcome.TIMEOUT if isinstance(cause or error, named) else Outcome.CONNECTION
