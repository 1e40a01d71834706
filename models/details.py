"""What the ledger keeps of a message besides its words, as JSON and back."""

import base64
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from models.values import InboundMessage, Kind, MediaRef, Quote

_BYTES = ("key", "sha256", "sealed_sha256")


def details(message: InboundMessage) -> dict[str, object] | None:
    """The details of *message*; None for plain words."""
    kept: dict[str, object] = dict(message.facts)
    if message.quote is not None:
        kept["quote"] = asdict(message.quote)
    if message.media is not None:
        kept["media"] = _media(message.media)
    if message.target is not None:
        kept["target"] = message.target
    return kept or None


def quote_of(raw: Mapping[str, Any] | None) -> Quote | None:
    """The quote in a message's details."""
    return Quote(raw["id"], raw["text"]) if raw else None


def media_of(details: Mapping[str, Any]) -> MediaRef | None:
    """The file in a message's details, ready to be downloaded."""
    raw = details.get("media")
    if raw is None:
        return None
    opened = {name: base64.b64decode(raw[name]) for name in _BYTES}
    return MediaRef(**{**raw, **opened, "kind": Kind(raw["kind"])})


def _media(ref: MediaRef) -> dict[str, object]:
    sealed = {name: base64.b64encode(getattr(ref, name)).decode() for name in _BYTES}
    known = {name: value for name, value in asdict(ref).items() if value not in (None, False)}
    return {**known, **sealed}
