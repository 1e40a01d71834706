"""What carries alerts and events on their last stretch, and how each try can end."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from bot.alerts.composing import Composed
from bot.alerts.routes import Route
from bot.alerts.signing import SHORTEST_SECRET, signed, signing_secret
from models.errors import LyroxError


class NotDelivered(LyroxError):
    """This try failed; the same may be tried again."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message ready to go; *body* is for webhooks, *composed* for people."""

    event_id: UUID
    company_id: UUID
    company: str
    language: str
    route: Route
    body: bytes
    composed: Composed | None


class Carrier(Protocol):
    """One channel."""

    @property
    def hold_seconds(self) -> float:
        """Longer than any try takes; so long nobody else tries."""

    def ready(self, company_id: UUID) -> bool:
        """Whether this process can try at all now; answers at once."""

    async def carry(self, parcel: Parcel) -> str:
        """Deliver; a few words on how the other side took it. Raises NotDelivered."""


Post = Callable[[str, bytes, Mapping[str, str]], Awaitable[str]]
"""Puts a body with headers to a URL, and says how it was taken; see `bot.web.posting`."""


class Webhook:
    """Signed JSON to a program."""

    hold_seconds = 60.0

    def __init__(
        self, post: Post, secrets: Callable[[str], str | None], now: Callable[[], datetime]
    ) -> None:
        self._post = post
        self._secrets = secrets
        self._now = now

    def ready(self, company_id: UUID) -> bool:
        """Always: every process has the network."""
        del company_id
        return True

    async def carry(self, parcel: Parcel) -> str:
        """Post it; only a 2xx counts."""
        secret = signing_secret(master_secret(self._secrets), parcel.route.signer)
        headers = signed(secret, str(parcel.event_id), self._now(), parcel.body)
        return await self._post(parcel.route.address, parcel.body, headers)


def master_secret(secrets: Callable[[str], str | None]) -> str:
    """What all signing secrets are made from. Raises NotDelivered with what to do."""
    master = secrets("webhook_secret") or ""
    if len(master) < SHORTEST_SECRET:
        raise NotDelivered(
            f"webhooks are not signed: set the credential webhook_secret (or LYROX_WEBHOOK_SECRET)"
            f" to {SHORTEST_SECRET} characters or more"
        )
    return master
