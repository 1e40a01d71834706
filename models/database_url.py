"""What a PostgreSQL URL says, and what we ask of every connection besides."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from tortoise.backends.base.config_generator import expand_db_url
from tortoise.exceptions import ConfigurationError

from models.errors import StartupRefused

COMMAND_SECONDS = 30.0
CONNECT_SECONDS = 10.0
URL_OPTIONS = frozenset({"host", "sslmode", "statement_cache_size"})


def credentials(url: str) -> dict[str, Any]:
    """How asyncpg is to connect. Raises StartupRefused for what is no such URL."""
    try:
        parts = urlsplit(url)
        found: dict[str, Any] = expand_db_url(url)["credentials"]
    except (ConfigurationError, ValueError) as error:
        raise StartupRefused(f"[stores] postgres: not a PostgreSQL URL: {error}") from None
    if parts.scheme not in {"postgres", "postgresql"}:
        raise StartupRefused("[stores] postgres: not a PostgreSQL URL: start it with postgres://")
    unknown = parse_qs(parts.query).keys() - URL_OPTIONS
    if unknown:
        raise StartupRefused(
            f"[stores] postgres: unknown option {', '.join(sorted(unknown))} in the URL;"
            f" known are {', '.join(sorted(URL_OPTIONS))}"
        )
    if sslmode := found.pop("sslmode", None):
        found["ssl"] = sslmode
    return found | {
        "timeout": CONNECT_SECONDS,
        "command_timeout": COMMAND_SECONDS,
        "max_cached_statement_lifetime": 0,
    }
