"""Where a company's WhatsApp files are on this machine, and what is kept in them."""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from bot.whatsapp.durable import write_durably
from bot.whatsapp.states import Reason, State


@dataclass(frozen=True, slots=True)
class Pairing:
    """What a pairing left beside the session: whose number it is and since when."""

    jid: str
    lid: str
    platform: str
    paired_at: datetime
    phone_seen_at: datetime | None = None

    @property
    def phone(self) -> str:
        """``+`` and the number's digits."""
        return phone_of(self.jid)

    def as_json(self) -> dict[str, str]:
        """The words of ``companies.whatsapp_session_data``; no key is among them."""
        words = asdict(self) | {"paired_at": self.paired_at.isoformat()}
        seen = words.pop("phone_seen_at")
        return words | ({"phone_seen_at": seen.isoformat()} if seen else {})


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
    def end(self) -> Path:
        """Why the session ended that has no device any more."""
        return self._sessions / f"{self.company_id}.end"

    @property
    def phone(self) -> Path:
        """When the owner's own phone was last seen alive."""
        return self._sessions / f"{self.company_id}.phone"

    @property
    def starts(self) -> Path:
        """How many starts in a row have not come through."""
        return self._sessions / f"{self.company_id}.starts"

    @property
    def pairing(self) -> Path:
        """The socket of a pairing that runs."""
        return self._sessions / f"{self.company_id}.pairing"

    @property
    def links(self) -> Path:
        """The last revocation of links to the pairing page."""
        return self._sessions / f"{self.company_id}.links"

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

    def set_aside(self, word: str, now: datetime) -> str:
        """Take the session out of use, nothing of it lost; returns its new name.

        What the client had not yet written into the file itself goes first: it must never meet
        the file that a new pairing makes.
        """
        new = f"{self.session.name}.{word}-{now:%Y%m%dT%H%M%SZ}"
        for ending in ("-wal", "-shm", ""):
            with contextlib.suppress(FileNotFoundError):
                old = self.session.with_name(self.session.name + ending)
                old.rename(self.session.with_name(new + ending))
        return new

    def forget_boot(self) -> None:
        """The session file no longer tells what became of earlier sends."""
        self.boot.unlink(missing_ok=True)

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
        if not self.same_boot():
            write_durably(self.boot, _boot_id())

    def write_end(self, state: State) -> None:
        """Keep why the session is over, for a process that finds no device in the file."""
        write_whole(self.end, {"reason": state.reason.value, "detail": state.detail})

    def read_end(self) -> State | None:
        """Why the last session was over, if one was."""
        words = read_whole(self.end)
        with contextlib.suppress(KeyError, ValueError):
            return State(Reason(words["reason"]), detail=words["detail"])
        return State(Reason.LOGGED_OUT) if self.read_note() else None

    def forget_end(self) -> None:
        """A session begins."""
        self.end.unlink(missing_ok=True)

    def unfinished_starts(self) -> int:
        """How many starts of the client in a row ended together with the process."""
        with contextlib.suppress(OSError, ValueError):
            return int(self.starts.read_text(encoding="ascii"))
        return 0

    def note_start(self, count: int) -> None:
        """A start begins that may end the process; not kept past a power loss."""
        self.starts.write_text(str(count), encoding="ascii")

    def forget_starts(self) -> None:
        """The process has survived a start."""
        self.starts.unlink(missing_ok=True)

    def write_phone(self, seen_at: datetime) -> None:
        """Keep when the phone gave its last sign of life."""
        write_whole(self.phone, {"seen_at": seen_at.isoformat()})

    def read_phone(self) -> datetime | None:
        """When the phone gave its last sign of life since it was paired; None if it never did."""
        pairing = self.read_note()
        return pairing.phone_seen_at if pairing else None

    def write_note(self, pairing: Pairing) -> None:
        """Keep what the pairing was, whole or not at all."""
        write_whole(self.note, pairing.as_json())

    def read_note(self) -> Pairing | None:
        """What the pairing was, if it is known."""
        words = read_whole(self.note)
        try:
            at = datetime.fromisoformat(words["paired_at"])
            return Pairing(words["jid"], words["lid"], words["platform"], at, self._seen_after(at))
        except (ValueError, KeyError):
            return None

    def is_confirmed(self, jid: str) -> bool:
        """Whether this device is what was paired last, or the first one."""
        note = self.read_note()
        return note is None or note.phone == phone_of(jid)

    def _seen_after(self, paired_at: datetime) -> datetime | None:
        """What an earlier pairing's phone did says nothing of this one's."""
        with contextlib.suppress(ValueError, KeyError):
            seen = datetime.fromisoformat(read_whole(self.phone)["seen_at"])
            return seen if seen >= paired_at else None
        return None


def phone_of(jid: str) -> str:
    """``+`` and the digits of a device's address, ``digits.agent:device@server``."""
    return "+" + jid.partition("@")[0].partition(":")[0].partition(".")[0]


def write_whole(path: Path, words: Mapping[str, str]) -> None:
    """Keep a few words past a power loss, all of them or what was there before."""
    write_durably(path, json.dumps(words))


def read_whole(path: Path) -> dict[str, str]:
    """The words kept there; none where nothing readable is."""
    try:
        words = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    texts = isinstance(words, dict) and all(isinstance(value, str) for value in words.values())
    return words if texts else {}


def _boot_id() -> str:
    """The kernel's name of this run of the machine; one for all where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"
