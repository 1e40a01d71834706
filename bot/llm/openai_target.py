"""The one place that knows the openai package; imported only when a target is configured."""

import json
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx2
import openai

from bot.llm.faults import Fault, Outcome, status_outcome
from bot.llm.reading import Said, error_codes, said
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

    def __init__(
        self,
        settings: TargetSettings,
        http: httpx2.AsyncClient,
        url: httpx2.URL,
        headers: Mapping[str, str],
    ) -> None:
        self.name = settings.name
        self.model = settings.model
        self.try_seconds = settings.try_seconds
        self._own = urlsplit(settings.base_url).hostname == _OWN_HOST
        same = {"model": settings.model, "response_format": _FORMAT, **settings.params}
        self._given = {name: value for name, value in same.items() if name != "messages"}
        self._beginning = json.dumps(self._given).removesuffix("}")
        self._http = http
        self._url = url
        self._headers = httpx2.Headers(headers)
        self._limits = {"timeout": httpx2.Timeout(settings.try_seconds).as_dict()}

    async def ask(self, messages: Sequence[Message], cache_key: str) -> Said:
        """What the model wrote. Everything that goes wrong is a `Fault`."""
        request = httpx2.Request(
            "POST",
            self._url,
            headers=self._headers,
            content=self._body(messages, cache_key),
            extensions=self._limits,
        )
        try:
            response = await self._http.send(request)
        except httpx2.HTTPError as error:
            raise Fault(_connection_outcome(error)) from None
        if not response.is_success:
            raise _status_fault(response)
        return said(response.content)

    def _body(self, messages: Sequence[Message], cache_key: str) -> bytes:
        """The request; what is the same in each was encoded once."""
        # Compatible servers may reject fields they do not know.
        own = {"store": False, "prompt_cache_key": cache_key} if self._own else {}
        ours = {name: value for name, value in own.items() if name not in self._given}
        told = [{"role": message.role, "content": message.content} for message in messages]
        end = json.dumps({**ours, "messages": told}).removeprefix("{")
        return f"{self._beginning}, {end}".encode()


@asynccontextmanager
async def open_target(settings: TargetSettings, key: str | None) -> AsyncIterator[OpenAiTarget]:
    """The target with its own connection pool, closed at the end."""
    # It logs each request, with the server's own words, at INFO.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    http = openai.DefaultAioHttpClient(limits=_LIMITS)
    async with openai.AsyncOpenAI(
        api_key=key or "none", base_url=settings.base_url, http_client=http
    ) as client:
        # Neither chat.completions.create nor post: each request would cost as much as all the rest.
        told = {**client.default_headers, **client.auth_headers}
        headers = {name: words for name, words in told.items() if isinstance(words, str)}
        yield OpenAiTarget(settings, http, client.base_url.join("chat/completions"), headers)


def _status_fault(response: httpx2.Response) -> Fault:
    headers = response.headers
    outcome = status_outcome(response.status_code, error_codes(response.content))
    forbidden = headers.get("x-should-retry", "").lower() == "false"
    return Fault(
        outcome,
        retry_after=retry_after(headers, now=datetime.now(UTC)),
        retryable=False if forbidden else None,
        request_id=headers.get("x-request-id"),
    )


def _connection_outcome(error: httpx2.HTTPError) -> Outcome:
    """The transport calls a refused or dropped connection a timeout too: the first cause tells."""
    cause: BaseException | None = error
    while isinstance(cause, httpx2.HTTPError):
        cause = cause.__cause__ or cause.__context__
    named = TimeoutError if cause else httpx2.TimeoutException
    return Outcome.TIMEOUT if isinstance(cause or error, named) else Outcome.CONNECTION
