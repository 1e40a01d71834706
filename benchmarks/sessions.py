"""WhatsApp sessions in the real daemon: what they cost idle, and how fast beside a bare bot.

``python -m benchmarks.sessions [--sessions 1 10 50 100] [--messages 1000]
[--rounds 5] [--no-receipts] [--save]``. WhatsApp is
the loopback server in a process of its own, the client is the real one. The daemon is ``lyrox
run`` with its ledger and stores, without quiet window, pace and rate limit, and with a language
model that answers at once. The bare bot is `benchmarks.echo_bot`, on the same session files.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.bench import say
from benchmarks.figures import machine
from benchmarks.processes import running
from benchmarks.runs import ROOT, alone, begin, heading, shown
from benchmarks.session_bench import Plan, SessionBench
from benchmarks.session_figures import SessionFigures, tables
from benchmarks.tenants import Tenants, tenants
from benchmarks.whatsapp import whatsapp
from bot.embedded import services
from tests.system.process import Home

_CONVERSATION = {
    "quiet_seconds": 0.0,
    "longest_seconds": 0.0,
    "pace_seconds_per_character": 0.0,
    "pace_longest_seconds": 0.0,
}
_LIMITS = {"messages_per_minute": 0, "robot_turns": 0}


async def run(plan: Plan, root: Path, *, receipts: bool = True) -> SessionFigures:
    """Measure on fresh stores and accounts; one run at a time under *root*."""
    with (
        alone(root / f"{plan.name}.lock"),
        tempfile.TemporaryDirectory(prefix="lyrox-sessions-") as folder,
        running("benchmarks.language_model", "--seconds", "0") as model,
    ):
        async with (
            services(root, fast=plan.fast, progress=say) as servers,
            tenants(max(plan.sessions), servers, plan.name, plan.redis_database) as owned,
            whatsapp(Path(folder) / "server") as server,
        ):
            home = _home(Path(folder), owned, plan.name, model.hear(), receipts=receipts)
            return await SessionBench(plan, server, owned, home).measure()


def _home(folder: Path, owned: Tenants, name: str, model_url: str, *, receipts: bool) -> Home:
    """A configuration without any waits, on the benchmark's databases."""
    target = {"name": "bench", "model": "bench-1", "base_url": model_url, "api_key": ""}
    urls = owned.urls
    stores = {"postgres": urls.postgres, "redis": urls.redis, "mongo": urls.mongo}
    return Home(
        folder,
        stores={**stores, "mongo_database": name},
        conversation=_CONVERSATION | {"mark_read": receipts},
        limits=_LIMITS,
        llm={"targets": [target]},
    )


def report(figures: SessionFigures, words: Sequence[str], place: str) -> str:
    """The tables with what they need to be understood and repeated."""
    return f"{heading('sessions', words, place)}\n\n{tables(figures)}"


def _told(words: Sequence[str]) -> tuple[Plan, argparse.Namespace]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sessions", description=__doc__)
    usual = Plan()
    parser.add_argument("--sessions", type=int, nargs="+", default=list(usual.sessions))
    parser.add_argument("--messages", type=int, default=usual.messages, help="of one load")
    parser.add_argument("--rounds", type=int, default=usual.rounds, help="of the two bots")
    parser.add_argument("--idle", type=float, default=usual.idle_seconds, help="seconds")
    parser.add_argument("--fast", action="store_true", help="stores that never wait for the disk")
    parser.add_argument("--save", action="store_true", help="keep the tables in docs/benchmarks.md")
    silent = "LYROX marks nothing as read, as the bare bot does not"
    parser.add_argument("--no-receipts", action="store_false", dest="receipts", help=silent)
    told = parser.parse_args(words)
    plan = Plan(told.sessions, told.messages, told.rounds, told.idle, fast=told.fast)
    return plan, told


def main(words: Sequence[str], root: Path = ROOT) -> str:
    """Measure, print the tables, and return them."""
    plan, told = _told(words)
    place = machine()
    text = report(asyncio.run(run(plan, root, receipts=told.receipts)), words, place)
    return shown("sessions", text, keep=told.save)


if __name__ == "__main__":
    begin(main)
