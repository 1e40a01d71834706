"""Two small keys of the document: ``whatsapp_state:{companyId}`` and ``session:{sessionId}``."""

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any
from uuid import UUID

from bot.redis_store import RedisStore

SESSION_SECONDS = 7 * 24 * 3600
SESSION_BYTES = 32


class WhatsAppState(StrEnum):
    """Where a company's WhatsApp session stands, in the document's three words."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    QR_PENDING = "qr_pending"


class WhatsAppStates:
    """The state of each company, kept until it is rewritten; after a flush it is unknown."""

    def __init__(self, redis: RedisStore) -> None:
        self._redis = redis

    async def set(self, company_id: UUID, state: WhatsAppState) -> None:
        await self._redis.set(_state_key(company_id), state.value)

    async def get(self, company_id: UUID) -> WhatsAppState | None:
        return _state(await self._redis.get(_state_key(company_id)))

    async def many(self, company_ids: Sequence[UUID]) -> dict[UUID, WhatsAppState | None]:
        """The states of several companies in one round trip."""
        found = await self._redis.get_many([_state_key(company) for company in company_ids])
        pairs = zip(company_ids, found, strict=True)
        return {company: _state(value) for company, value in pairs}


class UserSessions:
    """The sessions of people who have signed in: a JWT payload for 7 days under a random id.

    Whoever knows an id is that person: it goes into a cookie and never into a log. A session
    that is unknown, ended or not readable is None.
    """

    def __init__(self, redis: RedisStore) -> None:
        self._redis = redis

    async def create(self, payload: Mapping[str, Any]) -> str:
        """Begin a session; returns its new id of 256 random bits."""
        session_id = secrets.token_urlsafe(SESSION_BYTES)
        await self.put(session_id, payload)
        return session_id

    async def put(self, session_id: str, payload: Mapping[str, Any]) -> None:
        """Replace a session's payload; its 7 days begin anew."""
        value = json.dumps(payload, separators=(",", ":"))
        await self._redis.set(_session_key(session_id), value, seconds=SESSION_SECONDS)

    async def get(self, session_id: str) -> dict[str, Any] | None:
        if not _ID.fullmatch(session_id):
            return None
        value = await self._redis.get(_session_key(session_id))
        return _payload(value) if value else None

    async def delete(self, session_id: str) -> None:
        """End a session; one that does not exist is ended already."""
        if _ID.fullmatch(session_id):
            await self._redis.delete(_session_key(session_id))


_ID = re.compile(r"[A-Za-z0-9_-]{43}")


def _state_key(company_id: UUID) -> str:
    return f"whatsapp_state:{company_id}"


def _session_key(session_id: str) -> str:
    if not _ID.fullmatch(session_id):
        raise ValueError("a session id is 43 characters that create() made")
    return f"session:{session_id}"


def _payload(value: bytes) -> dict[str, Any] | None:
    try:
        payload = json.loads(value)
    except ValueError:
        return None
    return payload if isinstance(payload, dict) else None


def _state(value: bytes | None) -> WhatsAppState | None:
    try:
        return None if value is None else WhatsAppState(value.decode())
    except ValueError:
        return None
