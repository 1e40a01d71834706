"""Small files that a power loss leaves whole, whoever else writes them at the same time."""

import os
import secrets
from pathlib import Path


def write_durably(path: Path, text: str) -> None:
    """Keep *text* past a power loss, all of it or what was there before. Raises OSError."""
    # A name of its own: another process may write the same file now.
    new = path.with_suffix(f"{path.suffix}.{secrets.token_hex(4)}.new")
    try:
        _write_synced(new, text)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write_synced(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        path.chmod(0o600)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
