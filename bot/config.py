"""``config.toml`` becomes frozen, validated settings, or a refusal naming every wrong key."""

import os
import tomllib
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from bot.alert_settings import Alerts, Mail
from bot.llm_settings import Llm
from bot.section import Section as _Section
from bot.web_settings import Web
from models.errors import StartupRefused

PLACES = (Path("config.toml"), Path("/etc/lyrox/config.toml"))
"""Where a configuration is looked for when nobody names one; the first that exists is taken."""

_LEAST_MEMORY = 256  # 190 MB, and 1.2 MB for each idle session.

_OFFLINE_DAYS = 35
"""WhatsApp may bring a message again for thirty days; only its row tells that it came before."""

Seconds = Annotated[float, Field(ge=0, le=3600)]
Folder = Annotated[Path, Field(strict=False)]


class Daemon(_Section):
    """Where the process keeps its own files and how it speaks."""

    state_dir: Folder = Path("var/state")
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = "info"
    drain_seconds: Seconds = 25.0
    turns_here: bool = True
    recycle_memory_mb: Annotated[int, Field(ge=0, le=2**20)] = 1024
    recycle_files_percent: Annotated[int, Field(ge=10, le=100)] = 60
    disk_low_mb: Annotated[int, Field(ge=0, le=2**20)] = 1024

    @field_validator("recycle_memory_mb")
    @classmethod
    def _enough(cls, megabytes: int) -> int:
        if 0 < megabytes < _LEAST_MEMORY:
            raise ValueError(
                f"must be at least {_LEAST_MEMORY}, which 50 quiet sessions need, or 0"
            )
        return megabytes


class Stores(_Section):
    """One URL a store; without one, our private server for it runs under ``data_dir``."""

    data_dir: Folder = Path("var/stores")
    postgres: str = ""
    redis: str = ""
    mongo: str = ""
    mongo_database: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,60}$")] = "lyrox"
    postgres_connections: Annotated[int, Field(ge=2, le=50)] = 10
    redis_connections: Annotated[int, Field(ge=2, le=200)] = 20
    ledger_days: Annotated[int, Field(ge=_OFFLINE_DAYS, le=3650)] = 90

    @field_validator("postgres", "redis", "mongo")
    @classmethod
    def _no_secret(cls, url: str) -> str:
        if urlsplit(url).password or "password" in parse_qs(urlsplit(url).query):
            raise ValueError("holds a password: put the whole URL into the credential instead")
        return url


class WhatsApp(_Section):
    """How the WhatsApp sessions behave; ``ai_label`` shows WhatsApp's own "AI" mark."""

    enabled: bool = True
    ai_label: bool = True
    device_name: Annotated[str, Field(min_length=1, max_length=40)] = "LYROX"
    max_age_hours: Annotated[float, Field(gt=0, le=24 * 14)] = 12.0
    media_megabytes: Annotated[int, Field(ge=1, le=64)] = 16
    media_seconds: Annotated[float, Field(ge=1, le=120)] = 20.0
    journal_megabytes: Annotated[int, Field(ge=16, le=4096)] = 64


class Conversation(_Section):
    """When a turn begins, how a reply is paced, and how long a chat stays with a human."""

    quiet_seconds: Annotated[float, Field(ge=0, le=60)] = 2.0
    complete_seconds: Annotated[float, Field(ge=1, le=60)] = 1.0
    longest_seconds: Annotated[float, Field(ge=0, le=300)] = 12.0
    pause_minutes: Annotated[int, Field(ge=1, le=60 * 24 * 30)] = 60
    pace_seconds_per_character: Annotated[float, Field(ge=0, le=1)] = 0.03
    pace_longest_seconds: Annotated[float, Field(ge=0, le=30)] = 4.0
    call_sentence: Annotated[str, Field(max_length=500)] = ""
    call_minutes: Annotated[int, Field(ge=1, le=60 * 24)] = 30
    mark_read: bool = True
    typing: bool = True
    reply_parts: Annotated[int, Field(ge=1, le=3)] = 3
    resume_word: Annotated[str, Field(max_length=40)] = "#bot"

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.resume_word != self.resume_word.strip():
            raise ValueError("resume_word must not begin or end with a blank")
        if self.longest_seconds < self.quiet_seconds:
            raise ValueError("longest_seconds must be at least quiet_seconds")
        return self


class Limits(_Section):
    """What keeps one customer or company from taking everything; 0 messages switches it off."""

    messages_per_minute: Annotated[int, Field(ge=0, le=1000)] = 10
    robot_turns: Annotated[int, Field(ge=0, le=8)] = 4
    turns_per_company: Annotated[int, Field(ge=1, le=1000)] = 4
    turns_per_host: Annotated[int, Field(ge=1, le=1000)] = 64
    sessions_per_host: Annotated[int, Field(ge=1, le=1000)] = 100


class Settings(_Section):
    """Everything ``config.toml`` may say."""

    daemon: Daemon = Daemon()
    stores: Stores = Stores()
    whatsapp: WhatsApp = WhatsApp()
    conversation: Conversation = Conversation()
    limits: Limits = Limits()
    llm: Llm = Llm()
    alerts: Alerts = Alerts()
    mail: Mail = Mail()
    web: Web = Web()


def find(named: Path | None = None) -> Path:
    """The configuration to use: *named*, or the first of `PLACES` that exists."""
    if named is not None:
        return named
    for path in PLACES:
        if path.is_file():
            return path
    places = " nor ".join(str(path) for path in PLACES)
    raise StartupRefused(f"no configuration: neither {places} exists; name one with --config PATH")


def load(path: Path) -> Settings:
    """Read and check *path*; relative paths in it become relative to its folder.

    Secrets (`secret`) override the store URLs. Raises StartupRefused with every error listed.
    """
    raw = _read(path)
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        raise StartupRefused(_explain(path, error)) from None
    return _with_secrets(_anchored(settings, path.resolve().parent))


def secret(name: str) -> str | None:
    """A secret from systemd's credentials directory, else from ``LYROX_<NAME>``, else None.

    Blanks and line ends around it are none of it.
    """
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if directory and (file := Path(directory) / name).is_file():
        try:
            return file.read_text(encoding="utf-8").strip() or None
        except (OSError, UnicodeDecodeError) as error:
            raise StartupRefused(f"credential {name}: {file} cannot be read: {error}") from None
    return os.environ.get(f"LYROX_{name.upper()}", "").strip() or None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StartupRefused(f"{path}: no such file; name one with --config PATH") from None
    except (OSError, UnicodeDecodeError) as error:
        raise StartupRefused(f"{path}: cannot be read as UTF-8 text: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise StartupRefused(f"{path}: not valid TOML: {error}") from None


def _explain(path: Path, error: ValidationError) -> str:
    count = error.error_count()
    lines = [f"{path}: {count} wrong setting{'s' * (count > 1)}; correct and start again:"]
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"])
        lines.append(f"  {key}: {_sentence(item['type'], item['msg'], key)}")
    return "\n".join(lines)


def _sentence(kind: str, message: str, key: str) -> str:
    if kind != "extra_forbidden":
        return message.removeprefix("Value error, ")
    near = get_close_matches(key, list(_keys(Settings)), n=1)
    return f"unknown key; did you mean {near[0]}?" if near else "unknown key"


def _keys(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _keys(field.annotation, f"{prefix}{name}.")


def _anchored(settings: Settings, base: Path) -> Settings:
    daemon = settings.daemon.model_copy(update={"state_dir": base / settings.daemon.state_dir})
    stores = settings.stores.model_copy(update={"data_dir": base / settings.stores.data_dir})
    return settings.model_copy(update={"daemon": daemon, "stores": stores})


def _with_secrets(settings: Settings) -> Settings:
    urls = {name: secret(f"{name}_url") for name in ("postgres", "redis", "mongo")}
    stores = settings.stores.model_copy(update={name: url for name, url in urls.items() if url})
    return settings.model_copy(update={"stores": stores})
