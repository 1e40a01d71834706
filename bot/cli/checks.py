"""What ``lyrox doctor`` looks at; each check says how it is, or raises what to do."""

import asyncio
import shutil
import stat
import sys
import time
import urllib.error
import urllib.request
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from http.client import HTTPException, InvalidURL
from pathlib import Path

from bot.alerts.signing import SHORTEST_SECRET
from bot.cli.output import count
from bot.cli.stores import postgres_url, progress
from bot.config import Settings, WhatsApp, secret
from bot.embedded import MONGOD, VALKEY
from bot.llm_settings import Target
from bot.redis_store import open_redis
from bot.stores import urls_of
from handlers.prompts import load_prompts
from models.conversations import open_conversations
from models.database import connect, inspect
from models.errors import LyroxError, Unavailable
from models.text import one_line

MOST_DRIFT_SECONDS = 5.0
TARGET_SECONDS = 5.0
UNREACHABLE = (OSError, ValueError, HTTPException)
"""What asking by HTTP fails with."""
LIBRARY_SECONDS = 60.0
LOAD = "from bot.whatsapp import library; library.load()"


class Unwell(LyroxError):
    """A check that found something to do."""


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: it would take the key along."""

    def redirect_request(self, *_: object) -> None:
        """A redirect is an answer like any other."""


async def prompts() -> str:
    """Every text is there, with its slots."""
    return f"version {load_prompts().version}"


@asynccontextmanager
async def postgres(settings: Settings) -> AsyncIterator[dict[str, str]]:
    """PostgreSQL part by part, with what is wrong; empty where nothing is."""
    async with postgres_url(settings) as url:
        parts = await inspect(url)
        yield {"postgres": parts.pop("server"), **parts, "clock": await _clock(url)}


async def redis(settings: Settings) -> str:
    """Redis answers."""
    async with (
        urls_of(settings.stores, [VALKEY], progress=progress) as urls,
        open_redis(urls.redis, connections=2),
    ):
        return "answers"


async def mongo(settings: Settings) -> str:
    """MongoDB answers and has its indexes."""
    async with (
        urls_of(settings.stores, [MONGOD], progress=progress) as urls,
        open_conversations(urls.mongo, settings.stores.mongo_database),
    ):
        return "answers and has its indexes"


async def target(target: Target) -> str:
    """The key is there, and the endpoint takes it."""
    key = secret(target.api_key) if target.api_key else None
    if target.api_key and not key:
        name = f"LYROX_{target.api_key.upper()}"
        raise Unwell(f"no key: set the credential {target.api_key} or {name}")
    if key and not (key.isascii() and key.isprintable()):
        raise Unwell(
            f"the key {target.api_key} holds characters that no header may have, such as a line"
            " end: put it in again, alone in one line"
        )
    status = await asyncio.to_thread(_models_status, target.base_url, key)
    if status in {401, 403}:
        raise Unwell(f"{target.base_url} refuses the key {target.api_key}: put a valid one in")
    if 300 <= status < 400:
        raise Unwell(
            f"{target.base_url} answers {status}, which leads elsewhere; the key was not sent"
            " there: put the address itself into base_url"
        )
    if status >= 500:
        raise Unwell(f"{target.base_url} answers {status}: try again later or add another target")
    return f"{target.model} at {target.base_url}"


async def alerts(settings: Settings) -> str:
    """The secrets of the channels are there; `lyrox alert test` tries the channels themselves."""
    if len(secret("webhook_secret") or "") < SHORTEST_SECRET and settings.alerts.webhook:
        raise Unwell(
            "webhooks cannot be signed: set the credential webhook_secret or LYROX_WEBHOOK_SECRET,"
            f" {SHORTEST_SECRET} characters or more"
        )
    if settings.mail.user and not secret("smtp_password"):
        raise Unwell("no password: set the credential smtp_password or LYROX_SMTP_PASSWORD")
    found = {
        "WhatsApp": settings.alerts.whatsapp and settings.whatsapp.enabled,
        "webhook": bool(settings.alerts.webhook),
        "e-mail": bool(settings.mail.host),
    }
    ways = ", ".join(name for name, there in found.items() if there)
    return f"by {ways}" if ways else "no channel but what companies have of their own"


async def neonize(settings: WhatsApp, program: str = LOAD) -> str:
    """The WhatsApp library loads; in a process of its own, because a broken one can crash."""
    if not settings.enabled:
        return "switched off in the configuration"
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program),
        stdin=DEVNULL,
        stdout=DEVNULL,
        stderr=PIPE,
    )
    try:
        async with asyncio.timeout(LIBRARY_SECONDS):
            _, said = await child.communicate()
    except TimeoutError:
        child.kill()
        await child.wait()
        raise Unwell(f"its library did not load in {LIBRARY_SECONDS:.0f} s") from None
    if child.returncode:
        raise Unwell(f"{_last_words(said)} ({_ending(child.returncode)})")
    return "its library loads"


async def session_files(state_dir: Path) -> str:
    """The state directory can be written, and nobody else reads the keys in it."""
    try:
        return await asyncio.to_thread(_sessions, state_dir)
    except OSError as error:
        told = f"{state_dir}: {error.strerror}"
        raise Unwell(f"{told}; run as the user who owns it, or correct daemon.state_dir") from None


async def disk(settings: Settings) -> str:
    """There is room for what we store."""
    told = []
    for folder in (settings.daemon.state_dir, settings.stores.data_dir):
        usage, least = shutil.disk_usage(_existing(folder)), settings.daemon.disk_low_mb
        if usage.free < least * 2**20:
            raise Unwell(
                f"{folder}: only {usage.free // 2**20} MB free; make room, {least} at least"
            )
        told.append(f"{usage.free // 2**30} GiB free for {folder.name}")
    return ", ".join(told)


async def _clock(url: str) -> str:
    async with connect(url, connections=2) as database:
        row = await database.call("clock_timestamp")
    theirs: datetime = row["clock_timestamp"]
    drift = abs(theirs.timestamp() - time.time())
    if drift > MOST_DRIFT_SECONDS:
        return f"differs by {drift:.0f} s from PostgreSQL's; switch on time synchronisation (NTP)"
    return ""


def _last_words(said: bytes) -> str:
    """Python's error at its end; what crashes in Go begins with why and ends with registers."""
    lines = said.decode(errors="replace").strip().splitlines() or ["it ended without a word"]
    plain = lines[-1 if lines[0].startswith("Traceback") else 0]
    return one_line(lines[-1].partition(": ")[2] or plain, 200)


def _ending(code: int) -> str:
    return f"exit code {code}" if code > 0 else f"signal {-code}"


def _models_status(base_url: str, key: str | None) -> int:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    request = urllib.request.Request(f"{base_url.rstrip('/')}/models", headers=headers)  # noqa: S310 - The configuration allows http and https alone.
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=TARGET_SECONDS) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code  # 404 too is an answer: not every server lists its models.
    except UNREACHABLE as error:
        raise Unavailable(
            f"{base_url} cannot be reached: {reason_of(error)}; check network and base_url"
        ) from None


def reason_of(error: Exception) -> str:
    """Why asking by HTTP failed; never in the words of whoever answered."""
    if isinstance(error, HTTPException) and not isinstance(error, OSError | InvalidURL):
        return "what answers there speaks no HTTP"
    return str(getattr(error, "reason", error))


def _sessions(state_dir: Path) -> str:
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    probe = state_dir / ".doctor"
    probe.touch()
    probe.unlink(missing_ok=True)  # Another doctor may look at the same time.
    sessions = state_dir / "sessions"
    files = sorted(sessions.glob("*.sqlite"))
    if files and sessions.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Unwell(f"{sessions}: others may read the session keys; chmod 700 {sessions}")
    return f"{state_dir}, {count(len(files), 'session file')}"


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.absolute().parents) if place.exists())
