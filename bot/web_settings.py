"""The ``[web]`` section: who may reach us over HTTP, and by which name."""

from ipaddress import ip_address, ip_network
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from bot.section import Section

PLACE = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):\d{1,5}"

Loopback = Annotated[str, Field(pattern=r"^(127\.0\.0\.1|\[::1\]|localhost):\d{1,5}$")]


class Web(Section):
    """The listeners, ``host:port``: ours (``listen``, a worker's ``worker_listen``, loopback only)
    and the pairing page's.

    Port 0 picks a free one. ``public_listen`` is empty where there is no pairing page;
    ``public_url`` is how people reach it. ``trusted_proxies`` are the addresses and networks whose
    ``X-Forwarded-For`` is believed.
    """

    listen: Loopback = "127.0.0.1:8710"
    worker_listen: Loopback = "127.0.0.1:8810"
    public_listen: Annotated[str, Field(pattern=rf"^({PLACE})?$")] = ""
    public_url: str = ""
    trusted_proxies: Annotated[tuple[str, ...], Field(strict=False)] = ("127.0.0.1", "::1")

    @field_validator("public_url")
    @classmethod
    def _fit_for_links(cls, url: str) -> str:
        """Whoever reads a link on its way can pair: plain HTTP never leaves this machine."""
        parts = urlsplit(url)
        if url and not (parts.hostname and parts.scheme in {"http", "https"}):
            raise ValueError("must be a URL such as https://bot.example.com")
        if parts.query or parts.fragment or "@" in parts.netloc:
            raise ValueError("must be scheme, host and path alone, such as https://bot.example.com")
        if parts.scheme == "http" and not _is_this_machine(parts.hostname or ""):
            raise ValueError("must begin with https://, because whoever sees a link may pair")
        return url.rstrip("/")

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            try:
                ip_network(proxy)
            except ValueError:
                raise ValueError(f"{proxy} is no address and no network") from None
        return proxies

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.public_url and not self.public_listen:
            raise ValueError('public_url needs public_listen, such as "127.0.0.1:8720"')
        return self


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
