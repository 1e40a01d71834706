"""``lyrox doctor``: looks at everything the daemon needs and says what to do."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from dataclasses import asdict, dataclass
from pathlib import Path

from bot.cli import checks
from bot.cli.arguments import Arguments
from bot.cli.exits import Exit, sentence
from bot.cli.pairing_check import pairing_page
from bot.config import Settings, find, load
from models.errors import LyroxError

WELL = {
    "postgres": "answers",
    "role": "cannot pass the company walls",
    "migrations": "up to date",
    "clock": "agrees with PostgreSQL's",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, whether it is well, and what there is to say."""

    name: str
    ok: bool
    says: str


def doctor(arguments: Arguments) -> int:
    """Print one line for each check; 1 if anything fails."""
    findings = asyncio.run(_examine(arguments.config, quiet=arguments.json))
    well = all(finding.ok for finding in findings)
    if arguments.json:
        report = {"ok": well, "checks": [asdict(finding) for finding in findings]}
        print(json.dumps(report, ensure_ascii=False))
    return Exit.DONE if well else Exit.FAILED


async def _examine(config: Path | None, *, quiet: bool) -> list[Finding]:
    findings = []
    async for finding in _findings(config):
        findings.append(finding)
        if not quiet:
            mark = "ok  " if finding.ok else "FAIL"
            print(f"{mark}  {finding.name:<11} {finding.says}", flush=True)
    return findings


async def _findings(config: Path | None) -> AsyncIterator[Finding]:
    try:
        path = find(config)
        settings = load(path)
    except (LyroxError, OSError) as error:
        yield Finding("config", False, sentence(error))
        return
    yield Finding("config", True, str(path))
    yield await look("prompts", checks.prompts())
    async for finding in _stores(settings):
        yield finding
    for target in settings.llm.targets:
        yield await look(f"llm {target.name}", checks.target(target))
    if not settings.llm.targets:
        yield Finding("llm", True, "only the built-in offline rules answer; add an [[llm.targets]]")
    yield await look("alerts", checks.alerts(settings))
    yield await look("neonize", checks.neonize(settings.whatsapp))
    yield await look("sessions", checks.session_files(settings.daemon.state_dir))
    yield await look("pairing", pairing_page(settings))
    yield await look("disk", checks.disk(settings))


async def _stores(settings: Settings) -> AsyncIterator[Finding]:
    try:
        async with checks.postgres(settings) as parts:
            for name, wrong in parts.items():
                yield Finding(name, not wrong, wrong or WELL[name])
    except (LyroxError, OSError) as error:
        yield Finding("postgres", False, sentence(error))
    yield await look("redis", checks.redis(settings))
    yield await look("mongo", checks.mongo(settings))


async def look(name: str, check: Awaitable[str]) -> Finding:
    """What a check says, or why it fails."""
    try:
        return Finding(name, True, await check)
    except (LyroxError, OSError) as error:
        return Finding(name, False, sentence(error))
