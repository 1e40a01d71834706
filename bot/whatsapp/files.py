"""Where a company's WhatsApp files are on this machine, and who may hold them."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Pairing:
    """What a pairing left beside the session: whose number it is and since when."""

    jid: str
    lid: str
    platform: str
    paired_at: datetime

    @property
    def phone(self) -> str:
        """``+`` and the number's digits."""
        return "+" + self.jid.partition("@")[0].partition(":")[0].partition(".")[0]

    def as_json(self) -> dict[str, str]:
        """The four words of ``companies.whatsapp_session_data``; no key is among them."""
        return asdict(self) | {"paired_at": self.paired_at.isoformat()}


@dataclass(frozen=True, slots=True)
class CompanyFiles:
    """One company's session file, its lock, its pairing note and its journal."""

    state_dir: Path
    company_id: UUID

    @property
    def session(self) -> Path:
        """The client's own SQLite file, which our process never opens."""
        return self._sessions / f"{self.company_id}.sqlite"

    @property
    def lock(self) -> Path:
        """Whoever holds this file's lock may open the session."""
        return self._sessions / f"{self.company_id}.lock"

    @property
    def note(self) -> Path:
        """What the pairing was, for whoever hosts the session."""
        return self._sessions / f"{self.company_id}.json"

    @property
    def boot(self) -> Path:
        """In which run of the machine the session was last used."""
        return self._sessions / f"{self.company_id}.boot"

    @property
    def journal(self) -> Path:
        """The folder of events not yet stored."""
        return self.state_dir / "journal" / str(self.company_id)

    @property
    def _sessions(self) -> Path:
        return self.state_dir / "sessions"

    def prepare(self) -> None:
        """Make the folders; they hold private keys, so nobody else may look in."""
        for folder in (self._sessions, self.journal.parent):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.chmod(0o700)

    def trace(self) -> tuple[int, ...]:
        """Changes whenever the session file was written; empty if there is none."""
        paths = (self.session, self.session.with_name(f"{self.session.name}-wal"))
        with contextlib.suppress(FileNotFoundError):
            stats = [path.stat() for path in paths if path.exists()]
            return tuple(part for stat in stats for part in (stat.st_mtime_ns, stat.st_size))
        return ()

    def same_boot(self) -> bool:
        """Whether the machine has run since the session was last used.

        After a power loss the last writes of the session file may be missing from it.
        """
        try:
            return self.boot.read_text(encoding="utf-8") == _boot_id()
        except (OSError, ValueError):
            return False

    def write_boot(self) -> None:
        """Keep, past a power loss, that the session is used in this run of the machine."""
        if self.same_boot():
            return
        with self.boot.open("w", encoding="utf-8") as file:
            file.write(_boot_id())
            file.flush()
            os.fsync(file.fileno())
        folder = os.open(self._sessions, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def write_note(self, pairing: Pairing) -> None:
        """Keep what the pairing was, whole or not at all."""
        new = self.note.with_suffix(".new")
        new.write_text(json.dumps(pairing.as_json()), encoding="utf-8")
        new.chmod(0o600)
        new.replace(self.note)

    def read_note(self) -> Pairing | None:
        """What the pairing was, if it is known."""
        try:
            words = json.loads(self.note.read_text(encoding="utf-8"))
            at = datetime.fromisoformat(words["paired_at"])
            return Pairing(words["jid"], words["lid"], words["platform"], at)
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _boot_id() -> str:
    """The kernel's name of this run of the machine; one for all where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


@contextlib.contextmanager
def holding(lock: Path) -> Iterator[bool]:
    """Try to hold *lock* for the block; yields whether it is ours. It ends with the process."""
    fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield _locked(fd)
    finally:
        os.close(fd)


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
