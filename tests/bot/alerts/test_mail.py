"""Mail through a real SMTP server on this machine, over TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult

from bot.alert_settings import Mail as MailSettings
from bot.alerts.carriers import NotDelivered
from bot.alerts.mail import Mail
from models.alerts import Outlet
from tests.bot.alerts.making import EVENT, parcel
from tests.certificates import Certificates

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Postbox:
    """What the server took, and how it answers."""

    answer: str = "250 kept as 42"
    taken: list[EmailMessage] = field(default_factory=list)
    envelopes: list[Any] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        self.encrypted.append(server.transport.get_extra_info("ssl_object") is not None)
        self.taken.append(_read(envelope.content))
        return self.answer


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls"))


@asynccontextmanager
async def server(
    box: Postbox, certificates: Certificates, *, security: str = "starttls", **options: Any
) -> AsyncIterator[int]:
    """A mail server; yields its port."""
    loop, context = asyncio.get_running_loop(), certificates.server()

    def protocol() -> SMTP:
        return SMTP(
            box,
            loop=loop,
            hostname="mail.test",
            tls_context=context if security == "starttls" else None,
            require_starttls=security == "starttls",
            **options,
        )

    listening = await loop.create_server(
        protocol, "127.0.0.1", 0, ssl=context if security == "tls" else None
    )
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        await listening.wait_closed()


def mail(
    port: int,
    tls: ssl.SSLContext | None,
    secrets: Callable[[str], str | None] = lambda _: None,
    **changes: Any,
) -> Mail:
    settings = {"host": "127.0.0.1", "port": port, "sender": "lyrox@acme.test"} | changes
    return Mail(MailSettings.model_validate(settings), secrets, lambda: AT, tls=tls)


LETTER = parcel(Outlet.EMAIL, "ana@acme.test")


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_an_alert_is_a_mail_that_its_owner_can_read(
    certificates: Certificates, security: str
) -> None:
    box = Postbox()
    async with server(box, certificates, security=security) as port:
        said = await mail(port, certificates.client(), security=security).carry(LETTER)

    [message], [envelope] = box.taken, box.envelopes
    assert said == "kept as 42"
    assert box.encrypted == [True]
    assert (envelope.mail_from, envelope.rcpt_tos) == ("lyrox@acme.test", ["ana@acme.test"])
    assert message["Subject"] == "Peña & Cía: WhatsApp se desvinculó"
    assert message["From"] == "LYROX <lyrox@acme.test>"
    assert message["To"] == "ana@acme.test"
    assert message["Message-ID"] == f"<{EVENT}@acme.test>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "es"
    assert message.get_content().splitlines() == ["El teléfono cerró la sesión.", "Otra línea."]


async def test_a_name_cannot_add_a_header(certificates: Certificates) -> None:
    box = Postbox()
    evil = parcel(Outlet.EMAIL, "ana@acme.test", company="Acme\nBcc: eve@evil.test")
    async with server(box, certificates) as port:
        await mail(port, certificates.client()).carry(evil)

    [message] = box.taken
    assert (message["Bcc"], box.envelopes[0].rcpt_tos) == (None, ["ana@acme.test"])


async def test_a_login_uses_the_password_that_is_no_setting(certificates: Certificates) -> None:
    box, seen = Postbox(), []

    def check(_server: Any, _session: Any, _envelope: Any, mechanism: str, data: Any) -> AuthResult:
        seen.append((mechanism, data.login, data.password))
        return AuthResult(success=True)

    async with server(box, certificates, authenticator=check, auth_required=True) as port:
        sender = mail(port, certificates.client(), {"smtp_password": "geheim"}.get, user="lyrox")
        await sender.carry(LETTER)

    assert [(login, password) for _, login, password in seen] == [(b"lyrox", b"geheim")]
    assert len(box.taken) == 1


async def test_a_missing_password_is_told_with_its_name(certificates: Certificates) -> None:
    with pytest.raises(NotDelivered, match="smtp_password"):
        await mail(1, certificates.client(), user="lyrox").carry(LETTER)


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_server_that_nobody_vouches_for_gets_no_mail(
    certificates: Certificates, security: str
) -> None:
    box = Postbox()
    async with server(box, certificates, security=security) as port:
        with pytest.raises(NotDelivered, match=r"(?i)certificate"):
            await mail(port, ssl.create_default_context(), security=security).carry(LETTER)

    assert box.taken == []


async def test_a_server_without_tls_gets_no_mail(certificates: Certificates) -> None:
    box = Postbox()
    async with server(box, certificates, security="none") as port:
        with pytest.raises(NotDelivered, match=r"(?i)starttls"):
            await mail(port, certificates.client()).carry(LETTER)

    assert box.taken == []


async def test_a_server_on_this_machine_may_do_without(certificates: Certificates) -> None:
    box = Postbox()
    async with server(box, certificates, security="none") as port:
        await mail(port, None, security="none").carry(LETTER)

    assert (len(box.taken), box.encrypted) == (1, [False])


@pytest.mark.parametrize("answer", ["451 later", "550 no such person"])
async def test_a_refusal_is_told_in_the_servers_words(
    certificates: Certificates, answer: str
) -> None:
    async with server(Postbox(answer), certificates) as port:
        with pytest.raises(NotDelivered, match=answer[4:]):
            await mail(port, certificates.client()).carry(LETTER)


async def test_a_server_that_is_not_there_is_told(certificates: Certificates) -> None:
    async with server(Postbox(), certificates) as port:
        pass

    with pytest.raises(NotDelivered, match=f"127.0.0.1:{port}"):
        await mail(port, certificates.client()).carry(LETTER)


def _read(content: bytes) -> EmailMessage:
    message = message_from_bytes(content, policy=default)
    assert isinstance(message, EmailMessage)
    return message
