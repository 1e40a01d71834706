"""The ``[alerts]`` and ``[mail]`` sections: how owners hear of trouble."""

from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from bot.section import Section
from models import entries
from models.errors import BadInput

PLAIN_HTTP = "must begin with https://, unless [alerts] private_networks names its network"
HOUR = r"([01]\d|2[0-3]):[0-5]\d"


class Alerts(Section):
    """What a company's alerts are like where it says nothing else.

    ``webhook`` and ``whatsapp`` are channels (mail has a section of its own). What can wait is not
    told in the ``quiet_hours`` of the ``time_zone``. ``private_networks`` may be reached by
    webhooks although they are not public.
    """

    language: Annotated[str, Field(pattern="^(es|en)$")] = "es"
    time_zone: str = "UTC"
    quiet_hours: Annotated[str, Field(pattern=rf"^({HOUR}-{HOUR})?$")] = "22:00-08:00"
    whatsapp: bool = True
    webhook: str = ""
    private_networks: Annotated[tuple[str, ...], Field(strict=False)] = ()

    @field_validator("time_zone")
    @classmethod
    def _known(cls, name: str) -> str:
        return _as_entered(entries.time_zone, name)

    @field_validator("webhook")
    @classmethod
    def _postable(cls, url: str) -> str:
        return _as_entered(entries.webhook, url) if url else ""

    @model_validator(mode="after")
    def _encrypted(self) -> Self:
        if self.webhook.startswith("http://") and not self.private_networks:
            raise ValueError(f"webhook {PLAIN_HTTP}")
        return self

    @field_validator("private_networks")
    @classmethod
    def _networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            try:
                ip_network(network)
            except ValueError:
                raise ValueError(f"{network} is no network such as 10.1.0.0/16") from None
        return networks


class Mail(Section):
    """The server that takes our mail; without a ``host`` there is none.

    ``security`` is ``starttls``, ``tls`` (from the first byte, mostly port 465) or, for a server on
    this machine alone, ``none``. ``user`` has its password in the credential ``smtp_password``.
    """

    host: str = ""
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: Annotated[str, Field(pattern="^(starttls|tls|none)$")] = "starttls"
    user: str = ""
    sender: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.host and not entries.EMAIL.fullmatch(self.sender):
            raise ValueError("sender must be an address such as lyrox@example.com")
        if self.security == "none" and self.host and not _is_here(self.host):
            raise ValueError('security may be "none" for a server on this machine only')
        return self


def _as_entered(check: Callable[[str, str], str], value: str) -> str:
    try:
        return check("it", value)
    except BadInput as wrong:
        raise ValueError(str(wrong).removeprefix("it: ")) from None


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
