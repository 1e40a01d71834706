"""How local commands find running daemons and ask them; needs nothing but the standard library."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from bot.shard import announcement, announcements, running_shards

ANSWER_SECONDS = 1.0
AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Shard:
    """One daemon of a state directory: what it says of itself, or else what is wrong with it."""

    number: int
    listen: str
    said: dict[str, Any] | None
    problem: str = ""


def ask_daemons(state_dir: Path) -> list[Shard]:
    """Ask every daemon that runs on *state_dir*, all at once; those killed there are named.

    Where a killed one answered, another installation's may answer now: nobody is asked there.
    """
    places, running = announcements(state_dir), running_shards(state_dir)
    numbers = sorted(places.keys() | running)
    if not numbers:
        return []

    def ask(number: int) -> Shard:
        listen = places.get(number, "")
        said = _said(number, listen) if number in running else None
        wrong = "" if said else _wrong(state_dir, number, runs=number in running)
        return Shard(number, listen, said, wrong)

    with ThreadPoolExecutor(min(AT_ONCE, len(numbers))) as threads:
        return list(threads.map(ask, numbers))


def _wrong(state_dir: Path, number: int, *, runs: bool) -> str:
    if runs:
        return (
            f"shard {number} runs but gives no answer within {ANSWER_SECONDS:g} s; it starts, it"
            " stops, or it hangs: its log says which"
        )
    return (
        f"shard {number} has ended without stopping; start it again with `lyrox run --shard"
        f" {number}`, or delete {announcement(state_dir, number)} if it is not wanted any more"
    )


def _said(number: int, listen: str) -> dict[str, Any] | None:
    """None where no daemon answers: one that is gone, or a stranger or another shard there."""
    try:
        status = _get(listen, "/status")
    except (OSError, HTTPException, ValueError):
        return None
    if not isinstance(status, dict) or "ready" not in status:
        return None
    return status if status.get("shard", number) == number else None


def _get(listen: str, path: str) -> Any:
    # Not urllib: a proxy of the environment has no business here.
    connection = HTTPConnection(listen, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()
