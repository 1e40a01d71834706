"""Private PostgreSQL: made once, started as somebody who is not root."""

import os
import re
import shutil
import signal
import subprocess
from functools import cached_property
from pathlib import Path
from typing import IO
from urllib.parse import quote

from bot.embedded.binaries import Search
from bot.embedded.place import POSTGRES, Place
from bot.embedded.process import NOBODY, Command, Identity, identity_for
from bot.embedded.servers import Tell, child_environment
from models.errors import StartupRefused, Unavailable

LOOK_SECONDS = 5
"""How often it looks for tables to analyse. Plans made while the ledger was empty read all of a
company's rows until then: measured, a step took 0.6 ms at first and 8 ms after 1,500 messages."""
_READY_LINE = 7  # Of postmaster.pid: "starting", "ready" or "stopping".
_SETUP = """\
CREATE ROLE app LOGIN NOSUPERUSER NOBYPASSRLS CREATEDB
CREATE DATABASE app OWNER app
"""


class Postgres:
    """PostgreSQL on a Unix socket, with a role and database ``app`` that obey the walls."""

    name, title = POSTGRES, "PostgreSQL"

    def __init__(self, place: Place, *, fast: bool, search: Search) -> None:
        self._place, self._fast = place, fast
        self._bin = search.postgres()
        self._data, self._run = place.root / self.name, place.run / "pg"
        self._identity = identity_for(self._data)

    def uris(self) -> dict[str, str]:
        at = f"?host={quote(str(self._run))}"
        return {
            self.name: f"postgres://app@/app{at}",
            "admin": f"postgres://postgres@/postgres{at}",
        }

    def prepare(self, lock: IO[str], tell: Tell) -> None:
        self._prepare_sockets()
        if not (self._data / "PG_VERSION").exists():
            tell("creating a private PostgreSQL (once)…")
            self._create(lock)
        self._check()
        # A pid from before a crash may be anybody's now; the lock proves that nobody is here.
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def command(self) -> Command:
        options = {
            "listen_addresses": "",
            "unix_socket_directories": f'"{self._run}"',
            "unix_socket_permissions": "0700",
            "port": "5432",
            "max_connections": "600",
            "shared_buffers": "64MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if self._fast:
            options |= dict.fromkeys(("fsync", "synchronous_commit", "full_page_writes"), "off")
        else:
            options["autovacuum_naptime"] = f"{LOOK_SECONDS}s"
        words = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
        return self._command("postgres", "-D", self._data, *words)

    def ready(self) -> bool:
        lines = (self._data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        return len(lines) > _READY_LINE and lines[_READY_LINE].strip() == "ready"

    def _prepare_sockets(self) -> None:
        self._run.mkdir(mode=0o700, exist_ok=True)
        for leftover in self._run.iterdir():
            leftover.unlink()
        if self._identity is Identity.NOBODY:
            self._place.root.chmod(0o711)
            self._place.run.chmod(0o711)
            os.chown(self._run, NOBODY, NOBODY)

    def _create(self, lock: IO[str]) -> None:
        draft = self._data.with_suffix(".draft")  # A half-made cluster is never used.
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        if self._identity is Identity.NOBODY:
            os.chown(draft, NOBODY, NOBODY)
        self._must(lock, self._command("initdb", "-D", draft, *self._initdb_options()))
        single = self._command("postgres", "--single", "-D", draft, "-c", "fsync=off", "postgres")
        self._must(lock, single, text=_SETUP)
        if not self._fast:
            self._must(lock, self._command("initdb", "--sync-only", "-D", draft))
        draft.rename(self._data)

    def _initdb_options(self) -> list[str]:
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if self._major < 17:  # The builtin provider is younger.
            locale = ["--locale=C.UTF-8"]
        local = ["--auth-local=trust", "--auth-host=reject", "--no-sync"]
        return ["-U", "postgres", "-E", "UTF8", *locale, *local]

    def _check(self) -> None:
        made = int((self._data / "PG_VERSION").read_text(encoding="ascii"))
        if made != self._major:
            raise StartupRefused(
                f"{self._data} was made by PostgreSQL {made}, but {self._bin} is {self._major}:"
                f" name the folder of a PostgreSQL {made} in LYROX_POSTGRES_BIN, or dump with the"
                " old one and restore into a new folder"
            )
        owner = self._data.stat().st_uid
        if owner not in {os.geteuid(), NOBODY}:
            raise StartupRefused(
                f"{self._data} belongs to user {owner}: run as that user, or change stores.data_dir"
            )

    @cached_property
    def _major(self) -> int:
        asked = [str(self._bin / "postgres"), "--version"]
        said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        number = re.search(r"\d+", said)  # "postgres (PostgreSQL) 18.6", or "19beta1".
        return int(number.group()) if number else 0

    def _command(self, program: str, *words: str | Path) -> Command:
        return Command(
            argv=(self._bin / program, *words),
            cwd=Path("/"),
            env=child_environment(),
            stop=signal.SIGINT,  # "Fast shutdown": ends the clients' sessions and flushes.
            identity=self._identity,
        )

    def _must(self, lock: IO[str], command: Command, *, text: str = "") -> None:
        try:
            done = command.run(text=text, lock=lock)
        except PermissionError:
            raise StartupRefused(
                f"PostgreSQL will not run as root, and `nobody` cannot reach {self._bin}:"
                " start LYROX as another user, or install it where everybody may read"
            ) from None
        if done.returncode or "ERROR:" in done.stderr or "FATAL:" in done.stderr:
            raise Unavailable(f"PostgreSQL could not be set up: {done.stderr.strip()[-600:]}")
