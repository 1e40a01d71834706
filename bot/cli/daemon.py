"""How local commands find a running daemon and ask it; needs nothing but the standard library."""

import json
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

ANSWER_SECONDS = 1.0


def ask_daemon(state_dir: Path) -> dict[str, Any] | None:
    """What the daemon of *state_dir* says of itself, or None where none answers."""
    try:
        note = json.loads((state_dir / "daemon.json").read_text(encoding="utf-8"))
        status = _get(note["listen"], "/status")
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return None  # No daemon, one that is gone, or a stranger on its port.
    return status if isinstance(status, dict) and "ready" in status else None


def _get(listen: str, path: str) -> Any:
    # Not urllib: a proxy of the environment has no business here.
    connection = HTTPConnection(listen, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()
