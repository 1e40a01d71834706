"""How often one company's client is started, over hours and days of virtual time."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from bot.config import WhatsApp
from bot.whatsapp.callbacks import Observer
from bot.whatsapp.files import CompanyFiles, Pairing
from bot.whatsapp.host import Host, WantedCompany
from bot.whatsapp.hosting import HostedCompany
from bot.whatsapp.library import Protos
from bot.whatsapp.patience import Patience, Starts
from bot.whatsapp.states import Reason, State
from bot.whatsapp.suspects import SUSPICIOUS, Suspects
from models.errors import RetryLater
from tests.bot.whatsapp.conftest import COMPANY, MakeEvent
from tests.fakes.connection import FakeConnection

pytestmark = [pytest.mark.looptime, pytest.mark.asyncio(loop_scope="function")]

HOUR, DAY = 3600.0, 24 * 3600.0
PAIRED_AT = datetime(2026, 9, 1, tzinfo=UTC)
Fate = Callable[[FakeConnection], None]


class Hosting:
    """One hosted company on fakes, its clock the loop's; *fate* befalls each connection."""

    def __init__(self, folder: Path, protos: Protos, fate: Fate = lambda _: None) -> None:
        self.starts: list[float] = []
        self.states: list[Reason] = []
        self.connections: list[FakeConnection] = []
        self.restarts: list[Reason] = []
        self.why: str | None = None
        self.detaching: Exception | None = None
        self.books_away = False
        self._fate = fate
        self._loop = asyncio.get_running_loop()
        self.files = CompanyFiles(folder, COMPANY)
        self.files.prepare()
        jid = "5215512345678:1@s.whatsapp.net"
        self.files.write_note(Pairing(jid, "1:1@lid", "android", PAIRED_AT))
        patience = Patience()
        kept = Starts(patience)
        host = Host(
            settings=WhatsApp(),
            protos=protos,
            connect=self._connect,
            unreachable=self._unreachable,
            books=SimpleNamespace(device=self._device),  # type: ignore[arg-type] # All it is asked.
            leases=SimpleNamespace(holds=self._yes),
            delivery=self,
            accept=self._nothing,
            on_state=lambda _, state: self._said(state),
            now=lambda: PAIRED_AT + timedelta(seconds=self._loop.time()),
            look_seconds=HOUR,
            patience=patience,
            journals={},
            starts=lambda _: kept,
            suspects=Suspects(patience),
            on_restart=self.restarts.append,
            on_phone=lambda _: None,
        )
        self._company = HostedCompany(host, WantedCompany(COMPANY), self.files)

    async def lives(self, seconds: float) -> None:
        """Run it so long, then end it."""
        running = asyncio.ensure_future(self._company.run(1))
        await asyncio.sleep(seconds)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    def _connect(
        self, _company: UUID, session: Path, observer: Observer, *, typing: bool = False
    ) -> FakeConnection:
        assert not typing
        self.starts.append(self._loop.time())
        connection = FakeConnection(observer, session)
        self.connections.append(connection)
        self._loop.call_soon(self._fate, connection)
        return connection

    def _said(self, state: State) -> None:
        self.states.append(state.reason)

    async def _unreachable(self) -> str | None:
        return self.why

    async def _device(self, _: Path) -> dict[str, str]:
        if self.books_away:
            raise RetryLater("the file could not be read")
        return {"jid": "x"}

    async def _yes(self, *_: object) -> bool:
        return True

    async def _nothing(self, *_: Any) -> None:
        return None

    async def attach(self, wire: object, fence: int) -> None:
        """Nothing to settle."""

    async def detach(self, company_id: object) -> None:
        """As told."""
        assert company_id == COMPANY
        if self.detaching:
            raise self.detaching


def ends_after(seconds: float) -> Fate:
    """The client's thread ends by itself after that time."""

    def fate(connection: FakeConnection) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, connection.observer.on_end, "required field not set")

    return fate


def most_in_an_hour(starts: list[float]) -> int:
    return max(sum(at <= other < at + HOUR for other in starts) for at in starts)


async def test_a_client_that_never_comes_up_is_started_ever_more_rarely(
    tmp_path: Path, protos: Protos
) -> None:
    hosting = Hosting(tmp_path, protos, ends_after(0.5))

    await hosting.lives(2 * HOUR)
    gaps = [after - before for before, after in pairwise(hosting.starts)]

    assert 2 <= gaps[0] < 3
    assert gaps[4] > 20
    assert 225 <= gaps[-1] <= 301
    assert most_in_an_hour(hosting.starts) <= 24
    assert all(connection.stopped.is_set() for connection in hosting.connections)


async def test_one_that_comes_up_and_goes_again_is_bounded_too(
    tmp_path: Path, protos: Protos
) -> None:
    hosting = Hosting(tmp_path, protos, ends_after(61))

    await hosting.lives(6 * HOUR)

    assert most_in_an_hour(hosting.starts) <= 36
    assert hosting.starts[-1] > 5.5 * HOUR  # It is never given up.
    assert set(hosting.restarts) == {Reason.FAULT}


async def test_without_a_way_to_whatsapp_the_client_is_never_started(
    tmp_path: Path, protos: Protos
) -> None:
    hosting = Hosting(tmp_path, protos)
    hosting.why = "no route"
    asyncio.get_running_loop().call_later(DAY, setattr, hosting, "why", None)

    await hosting.lives(DAY + 400)

    assert len(hosting.starts) == 1
    assert DAY <= hosting.starts[0] <= DAY + 300
    assert hosting.states[-1] is Reason.ONLINE


async def test_a_file_that_cannot_be_read_is_asked_again_with_growing_pauses(
    tmp_path: Path, protos: Protos
) -> None:
    hosting = Hosting(tmp_path, protos)
    hosting.books_away = True
    asyncio.get_running_loop().call_later(HOUR, setattr, hosting, "books_away", False)

    await hosting.lives(HOUR + 400)

    assert len(hosting.starts) == 1
    assert hosting.states.count(Reason.FAULT) < 25


async def test_a_delivery_that_fails_to_let_go_keeps_no_connection_open(
    tmp_path: Path, protos: Protos
) -> None:
    hosting = Hosting(tmp_path, protos)
    hosting.detaching = RetryLater("the store is down")

    await hosting.lives(10)

    assert [connection.stopped.is_set() for connection in hosting.connections] == [True]


async def test_a_phone_that_falls_asleep_is_noticed_without_any_event(
    tmp_path: Path, protos: Protos, make_event: MakeEvent
) -> None:
    def owner_types(connection: FakeConnection) -> None:
        sign = make_event("hola", own=True, Timestamp=int(PAIRED_AT.timestamp() * 1000))
        connection.observer.on_event(17, sign)

    hosting = Hosting(tmp_path, protos, owner_types)

    await hosting.lives(10 * DAY - 120)
    awake = list(hosting.states)
    hosting = Hosting(tmp_path, protos)  # The next process.
    await hosting.lives(300)

    assert awake[-1] is Reason.ONLINE
    assert Reason.PHONE_ASLEEP not in awake
    assert hosting.states[-1] is Reason.PHONE_ASLEEP


async def test_a_company_whose_starts_ended_the_process_waits_before_the_next_one(
    tmp_path: Path, protos: Protos
) -> None:
    hosting = Hosting(tmp_path, protos)
    hosting.files.note_start(SUSPICIOUS)

    await hosting.lives(60)

    assert 20 < hosting.starts[0] <= 30
    assert hosting.states[0] is Reason.FAULT
    assert hosting.states[-1] is Reason.ONLINE
    assert hosting.files.unfinished_starts() == 0


async def test_a_start_is_noted_until_it_has_come_through(tmp_path: Path, protos: Protos) -> None:
    noted: list[int] = []

    def looks(connection: FakeConnection) -> None:
        noted.append(hosting.files.unfinished_starts())
        connection.observer.on_end("refused")

    hosting = Hosting(tmp_path, protos, looks)

    await hosting.lives(1)

    assert noted == [1]
    assert hosting.files.unfinished_starts() == 0
