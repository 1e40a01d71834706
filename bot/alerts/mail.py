"""The aiosmtplib door: alerts by e-mail, over TLS."""

import ssl
from collections.abc import Callable
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from uuid import UUID

import aiosmtplib

from bot.alert_settings import Mail as MailSettings
from bot.alerts.carriers import NotDelivered, Parcel
from models.text import one_line

SECONDS = 20.0
"""For each step of the talk with the server."""


class Mail:
    """Plain text to the owner's address; its Message-ID is the same at every try."""

    hold_seconds = 180.0

    def __init__(
        self,
        settings: MailSettings,
        secrets: Callable[[str], str | None],
        now: Callable[[], datetime],
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._settings = settings
        self._secrets = secrets
        self._now = now
        self._tls = tls

    def ready(self, company_id: UUID) -> bool:
        """Always: every process has the network."""
        del company_id
        return True

    async def carry(self, parcel: Parcel) -> str:
        """Hand it to the mail server."""
        settings = self._settings
        domain = settings.sender.rpartition("@")[2]
        try:
            _, answer = await aiosmtplib.send(
                self._message(parcel, domain),
                hostname=settings.host,
                port=settings.port,
                use_tls=settings.security == "tls",
                start_tls=settings.security == "starttls",
                username=settings.user or None,
                password=self._password(),
                local_hostname=domain,
                timeout=SECONDS,
                tls_context=self._context(),
            )
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise NotDelivered(f"{settings.host}:{settings.port}: {_told(error)}") from error
        return one_line(answer, 200)

    def _password(self) -> str | None:
        if not self._settings.user:
            return None
        if password := self._secrets("smtp_password"):
            return password
        raise NotDelivered("no password: set the credential smtp_password or LYROX_SMTP_PASSWORD")

    def _message(self, parcel: Parcel, domain: str) -> EmailMessage:
        if parcel.composed is None:
            raise NotDelivered("this is nothing to read")
        message = EmailMessage()
        message.set_content(parcel.composed.text)  # First: it drops what is said of the content.
        message["From"] = f"LYROX <{self._settings.sender}>"
        message["To"] = parcel.route.address
        message["Subject"] = one_line(f"{parcel.company}: {parcel.composed.title}", 150)
        message["Date"] = format_datetime(self._now())
        message["Message-ID"] = f"<{parcel.event_id}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message["Content-Language"] = parcel.language
        return message

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls


def _told(error: Exception) -> str:
    return one_line(str(error) or type(error).__name__, 200)
