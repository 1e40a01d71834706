"""Whether the owner's own phone is alive: without it for 14 days, WhatsApp unlinks our device."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.whatsapp.files import CompanyFiles
from bot.whatsapp.library import Protos

log = logging.getLogger(__name__)

ASLEEP_AFTER = timedelta(days=10)
_KEPT_EVERY = timedelta(hours=1)


class Phone:
    """The last sign of life of one company's phone, kept on the disk to the hour.

    A sign is any message from the account's device 0, which is the phone: what the owner types to
    anybody, and what the phone tells its linked devices. Receipts would be more, but are not
    subscribed (one of an unknown type ends the client's event loop). A phone that never gave a
    sign since it was paired is unknown, not asleep: its owner may only ever read on it.
    """

    def __init__(self, files: CompanyFiles, protos: Protos, *, now: Callable[[], datetime]) -> None:
        self._files = files
        self._message = protos.events.Message
        self._broken = protos.broken
        self._now = now
        self._seen = self._kept = files.read_phone()

    @property
    def asleep_since(self) -> datetime | None:
        """The last sign of a phone that has been silent for ten days; None where all is well."""
        seen = self._seen
        return seen if seen is not None and self._now() - seen >= ASLEEP_AFTER else None

    def notice(self, raw: bytes) -> bool:
        """Take note of a message event; whether it is a sign worth telling others about.

        Called on the client's thread.
        """
        at = self._sign(raw)
        if at is None or (self._seen is not None and at <= self._seen):
            return False
        self._seen = at
        if self._kept is not None and at - self._kept < _KEPT_EVERY:
            return False
        self._keep(at)
        return True

    def _sign(self, raw: bytes) -> datetime | None:
        try:
            info = self._message.FromString(raw).Info
        except self._broken:
            return None
        return self._time(info) if _is_phones(info.MessageSource) else None

    def _time(self, info: Any) -> datetime:
        """When the phone sent it, in its own clock, which may be ahead of ours."""
        return min(datetime.fromtimestamp(info.Timestamp / 1000, UTC), self._now())

    def _keep(self, at: datetime) -> None:
        self._kept = at
        try:
            self._files.write_phone(at)
        except OSError as error:
            log.warning("a phone's sign of life is not on disk", extra={"error": str(error)})


def _is_phones(source: Any) -> bool:
    return bool(source.IsFromMe and source.Sender.Device == 0)
