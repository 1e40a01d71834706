"""Every company's WhatsApp on this host: who should run, who runs, and what is known of them."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from uuid import UUID

from bot.config import Settings
from bot.whatsapp import library, reach
from bot.whatsapp.arrivals import Accept
from bot.whatsapp.connector import Connector, NeonizeConnector
from bot.whatsapp.files import CompanyFiles, Pairing, holding
from bot.whatsapp.hosting import Delivery, Host, HostedCompany, LeaseLost, Leases, WantedCompany
from bot.whatsapp.journal import Journal
from bot.whatsapp.patience import PATIENCE, Patience
from bot.whatsapp.recording import StateBook, StateRecorder
from bot.whatsapp.settlement import SessionBooks
from bot.whatsapp.states import Reason, State
from models.errors import RetryLater, Unavailable

log = logging.getLogger(__name__)

__all__ = ["Connector", "Delivery", "Leases", "Sessions", "StateBook", "WantedCompany"]

_STOP_LIMIT = 10.0


class Sessions:
    """Hosts what is wanted and paired; a failure of one company stays with that company."""

    def __init__(
        self,
        settings: Settings,
        *,
        leases: Leases,
        states: StateBook,
        delivery: Delivery,
        accept: Accept,
        connector: Connector | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        look_seconds: float = 1.0,
        patience: Patience = PATIENCE,
    ) -> None:
        self._settings = settings
        self._leases = leases
        self._delivery = delivery
        self._accept = accept
        self._connector = connector
        self._now = now
        self._look_seconds = look_seconds
        self._patience = patience
        self._books = SessionBooks()
        self._journals: set[Journal] = set()
        self._hosted: dict[UUID, asyncio.Task[None]] = {}
        self._traces: dict[UUID, tuple[tuple[int, ...], dict[str, str] | None]] = {}
        self._resting: dict[UUID, Pairing | None] = {}
        self._numbers: dict[UUID, str] = {}
        self._recorder = StateRecorder(states, lambda company: self._files(company).read_note())

    def states(self) -> Mapping[UUID, State]:
        """The newest state of each company seen so far."""
        return self._recorder.known()

    def unstored(self) -> int:
        """How many messages of the companies hosted here wait on the disk for intake."""
        return sum(journal.waiting for journal in self._journals)

    async def run(self) -> None:
        """Until cancelled; then everything ends cleanly within ten seconds."""
        connector = self._connector or NeonizeConnector(self._settings.whatsapp.device_name)
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(connector.close)
            for last in (self._books.close, self._recorder.finish, self._end_all):
                stack.push_async_callback(last)
            async with asyncio.TaskGroup() as group:  # A fault of either ends both, and is told.
                group.create_task(self._recorder.run(), name="states of sessions")
                group.create_task(self._look_for_ever(connector), name="look for companies")

    async def _look_for_ever(self, connector: Connector) -> None:
        while True:
            with contextlib.suppress(RetryLater, Unavailable):
                await self._look(connector)
            await asyncio.sleep(self._look_seconds)

    async def _look(self, connector: Connector) -> None:
        wanted = {company.id: company for company in await self._leases.wanted()}
        for company_id in self._hosted.keys() - wanted.keys():
            _end(self._hosted[company_id])
            self._recorder.say(company_id, State(Reason.STOPPED))
        for company_id in wanted.keys() - self._hosted.keys():
            if wanted[company_id].elsewhere:
                self._leave(company_id)
            elif await self._should_start(company_id):
                self._begin(connector, wanted[company_id])

    def _leave(self, company_id: UUID) -> None:
        """Another host holds it, and speaks for it."""
        self._resting.pop(company_id, None)
        self._recorder.forget(company_id)

    async def _should_start(self, company_id: UUID) -> bool:
        files = self._files(company_id)
        try:
            device = await self._device(files)
        except RetryLater as error:
            self._recorder.say(company_id, State(Reason.FAULT, detail=str(error)))
            return False
        if device is None:
            self._resting.pop(company_id, None)
            self._say_unpaired(files)
            return False
        if company_id in self._resting and self._resting[company_id] == files.read_note():
            return False
        return self._has_own_number(company_id, device["jid"])

    async def _device(self, files: CompanyFiles) -> dict[str, str] | None:
        """Asked again only when the file has changed."""
        trace = files.trace()
        known, device = self._traces.get(files.company_id, ((), None))
        if trace != known:
            device = await self._books.device(files.session)
            self._traces[files.company_id] = (trace, device)
        return device

    def _say_unpaired(self, files: CompanyFiles) -> None:
        """What a session said before it ended is better than what an empty file says."""
        if files.company_id not in self._recorder.known():
            reason = Reason.LOGGED_OUT if files.read_note() else Reason.NEVER_PAIRED
            self._recorder.say(files.company_id, State(reason))

    def _has_own_number(self, company_id: UUID, jid: str) -> bool:
        number = jid.partition("@")[0].partition(":")[0].partition(".")[0]
        others = [self._numbers.get(other) for other in self._hosted]
        if number in others:
            self._recorder.say(company_id, State(Reason.NUMBER_IN_USE))
            return False
        self._numbers[company_id] = number
        return True

    def _begin(self, connector: Connector, company: WantedCompany) -> None:
        task = asyncio.ensure_future(self._host(connector, company))
        self._hosted[company.id] = task
        task.add_done_callback(lambda _: self._hosted.pop(company.id, None))

    async def _host(self, connector: Connector, company: WantedCompany) -> None:
        try:
            await self._hold(connector, company)
        except LeaseLost as error:
            log.warning("a session moves away", extra={"reason": str(error)})
            self._leave(company.id)
        except library.LibraryMissing as error:
            self._resting[company.id] = self._files(company.id).read_note()
            self._recorder.say(company.id, State(Reason.LIBRARY_MISSING, detail=str(error)))
        except (RetryLater, Unavailable) as error:
            log.warning("a session waits for its store", extra={"reason": str(error)})
        except Exception as error:
            log.exception("a session failed", extra={"company": str(company.id)})
            self._recorder.say(company.id, State(Reason.FAULT, detail=type(error).__name__))
            await asyncio.sleep(reach.backoff(2))

    async def _hold(self, connector: Connector, company: WantedCompany) -> None:
        files = self._files(company.id)
        files.prepare()
        with holding(files.lock) as ours:
            fence = await self._leases.take(company.id) if ours else None
            if fence is None:
                return  # A pairing or another host still has it; the next look tries again.
            try:
                host = self._shared(connector, await connector.load())
                await HostedCompany(host, company, files).run(fence)
                self._resting[company.id] = files.read_note()
            finally:
                with contextlib.suppress(RetryLater, Unavailable):
                    await self._leases.release(company.id, fence)

    def _shared(self, connector: Connector, protos: library.Protos) -> Host:
        return Host(
            settings=self._settings.whatsapp,
            protos=protos,
            connect=connector.connect,
            unreachable=connector.unreachable,
            books=self._books,
            leases=self._leases,
            delivery=self._delivery,
            accept=self._accept,
            on_state=self._recorder.say,
            now=self._now,
            look_seconds=self._look_seconds,
            patience=self._patience,
            journals=self._journals,
        )

    def _files(self, company_id: UUID) -> CompanyFiles:
        return CompanyFiles(self._settings.daemon.state_dir, company_id)

    async def _end_all(self) -> None:
        tasks = dict(self._hosted)
        for task in tasks.values():
            _end(task)
        if tasks:
            await asyncio.wait(tasks.values(), timeout=_STOP_LIMIT)
        for company_id in tasks:
            self._recorder.say(company_id, State(Reason.STOPPED))


def _end(task: asyncio.Task[None]) -> None:
    """Cancel once: a second cancel would cut the clean stop that the first one began."""
    if not task.cancelling():
        task.cancel()
