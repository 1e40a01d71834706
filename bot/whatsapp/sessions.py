"""Every company's WhatsApp on this host: who should run, who runs, and what is known of them."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from bot.background import end_once
from bot.config import Settings
from bot.whatsapp import library, reach
from bot.whatsapp.admission import Admission
from bot.whatsapp.arrivals import Accept
from bot.whatsapp.connector import Connector, NeonizeConnector
from bot.whatsapp.farewell import NumberTaken, claim_number
from bot.whatsapp.files import CompanyFiles
from bot.whatsapp.host import Delivery, Host, Leases, WantedCompany
from bot.whatsapp.hosting import HostedCompany, LeaseLost
from bot.whatsapp.journal import Journal, Refusal
from bot.whatsapp.leftovers import Leftovers
from bot.whatsapp.locks import holding
from bot.whatsapp.patience import PATIENCE, Patience, Starts
from bot.whatsapp.recording import StateBook, StateRecorder
from bot.whatsapp.settlement import SessionBooks, SessionDamaged
from bot.whatsapp.states import Reason, State, WayOut
from bot.whatsapp.suspects import Suspects
from models.errors import RetryLater, Unavailable

log = logging.getLogger(__name__)

__all__ = ["Connector", "Delivery", "Leases", "Sessions", "StateBook", "WantedCompany"]

_STOP_LIMIT = 9.0


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
        self._journals: dict[UUID, Journal] = {}
        self._hosted: dict[UUID, asyncio.Task[None]] = {}
        self._leaving: set[UUID] = set()
        self._aware: dict[UUID, bool] = {}
        self._restarts: Counter[Reason] = Counter()
        self._starts: dict[UUID, Starts] = {}
        self._suspects = Suspects(self._patience)
        self._recorder = StateRecorder(states, lambda company: self._files(company).read_note())
        self._admission = Admission(self._books, self._recorder, now)

    def states(self) -> Mapping[UUID, State]:
        """The newest state of each company seen so far."""
        return self._recorder.known()

    def unstored(self) -> int:
        """How many messages of the companies hosted here wait on the disk for intake."""
        return sum(journal.waiting for journal in self._journals.values())

    def refusals(self) -> dict[UUID, Refusal]:
        """The companies hosted here whose new messages find no room on the disk, and why."""
        journals = self._journals.items()
        return {company: journal.refusal for company, journal in journals if journal.refusal}

    def restarts(self, reason: Reason) -> int:
        """How often a session ended by itself for this reason and was begun again."""
        return self._restarts[reason]

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
        leftovers = Leftovers(self._settings.daemon.state_dir, partial(self._quietly, connector))
        while True:
            with contextlib.suppress(RetryLater, Unavailable, library.LibraryMissing):
                await self._look(connector)
                await asyncio.sleep(0)  # What has just begun takes its lock.
                await leftovers.take_in()
            await asyncio.sleep(self._look_seconds)

    async def _quietly(self, connector: Connector) -> Host:
        """For who reads messages and connects to nothing."""
        return self._shared(connector, await asyncio.to_thread(library.read_protos))

    async def _look(self, connector: Connector) -> None:
        found = await self._leases.wanted()
        wanted = {company.id: company for company in found if company.wanted}
        for company_id in {company.id for company in found} - wanted.keys() - self._hosted.keys():
            self._recorder.say(company_id, State(Reason.STOPPED))
        for company_id in self._hosted.keys() - wanted.keys():
            end_once(self._hosted[company_id])
            self._leaving.add(company_id)
            self._recorder.say(company_id, State(Reason.STOPPED))
        for company_id in wanted.keys() & self._hosted.keys():
            if self._aware[company_id] != wanted[company_id].typing_aware:
                end_once(self._hosted[company_id])  # What a client hears is settled at its start.
        for company_id in wanted.keys() - self._hosted.keys():
            if wanted[company_id].elsewhere:
                self._leave(company_id)
            elif await self._admission.may_start(self._files(company_id)):
                self._begin(connector, wanted[company_id])

    def _leave(self, company_id: UUID) -> None:
        """Another host holds it, and speaks for it."""
        self._admission.wake(company_id)
        self._recorder.forget(company_id)

    def _begin(self, connector: Connector, company: WantedCompany) -> None:
        """Unless this process is full: then another one may take it, or it waits for room."""
        if len(self._hosted) >= self._settings.limits.sessions_per_host:
            self._recorder.say(company.id, State(Reason.NO_ROOM))
            return
        task = asyncio.ensure_future(self._host(connector, company))
        self._hosted[company.id], self._aware[company.id] = task, company.typing_aware
        task.add_done_callback(lambda _: self._ended(company.id))

    def _ended(self, company_id: UUID) -> None:
        """What its session said while it was being stopped is not how it stands."""
        self._hosted.pop(company_id, None)
        if company_id in self._leaving:
            self._leaving.discard(company_id)
            self._recorder.say(company_id, State(Reason.STOPPED))

    async def _host(self, connector: Connector, company: WantedCompany) -> None:
        try:
            await self._hold(connector, company)
        except LeaseLost as error:
            log.warning("a session moves away", extra={"reason": str(error)})
            self._leave(company.id)
        except NumberTaken:
            await asyncio.sleep(self._patience.longest)  # Unlinked, or the other one may go.
        except library.LibraryMissing as error:
            self._admission.rest(self._files(company.id))
            self._recorder.say(company.id, State(Reason.LIBRARY_MISSING, detail=str(error)))
        except (RetryLater, Unavailable) as error:
            log.warning("a session waits for its store", extra={"reason": str(error)})
        except Exception as error:
            log.exception("a session failed", extra={"company": str(company.id)})
            self._recorder.say(company.id, State(Reason.FAULT, detail=type(error).__name__))
            self._restarts[Reason.FAULT] += 1
            loop = asyncio.get_running_loop()
            await asyncio.sleep(self._starts_of(company.id).pause(reach.backoff(2), loop.time()))

    async def _hold(self, connector: Connector, company: WantedCompany) -> None:
        files = self._files(company.id)
        files.prepare()
        with holding(files.lock) as ours:
            if not ours:
                self._admission.say_held(files)
                return
            fence = await self._leases.take(company.id)
            if fence is None:
                return  # Another host was faster; the next look leaves it alone.
            try:
                await self._run(connector, company, files, fence)
            except SessionDamaged as error:
                self._admission.set_aside(files, error)
            finally:
                with contextlib.suppress(RetryLater, Unavailable):
                    await self._leases.release(company.id, fence)

    async def _run(
        self, connector: Connector, company: WantedCompany, files: CompanyFiles, fence: int
    ) -> None:
        device = await self._admission.device(files)
        if device is None:
            return
        host = self._shared(connector, await connector.load())
        await claim_number(host, files, device)
        files.forget_end()
        await HostedCompany(host, company, files).run(fence)
        self._admission.rest(files)

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
            on_state=self._on_state,
            now=self._now,
            look_seconds=self._look_seconds,
            patience=self._patience,
            journals=self._journals,
            starts=self._starts_of,
            suspects=self._suspects,
            on_restart=lambda reason: self._restarts.update([reason]),
            on_phone=self._recorder.again,
            private_networks=self._settings.alerts.private_networks,
        )

    def _starts_of(self, company_id: UUID) -> Starts:
        return self._starts.setdefault(company_id, Starts(self._patience))

    def _on_state(self, company_id: UUID, state: State) -> None:
        if state.meaning.way_out is WayOut.OWNER_PAIRS:
            self._admission.say_over(self._files(company_id), state)
        else:
            self._recorder.say(company_id, state)

    def _files(self, company_id: UUID) -> CompanyFiles:
        return CompanyFiles(self._settings.daemon.state_dir, company_id)

    async def _end_all(self) -> None:
        """All at once: each waits for its own quiet, and only the client's stops take turns."""
        tasks = dict(self._hosted)
        for task in tasks.values():
            end_once(task)
        if tasks:
            await asyncio.wait(tasks.values(), timeout=_STOP_LIMIT)
        if late := [str(company_id) for company_id, task in tasks.items() if not task.done()]:
            log.error("sessions did not stop in time and are cut", extra={"companies": late})
        for company_id in tasks:
            self._recorder.say(company_id, State(Reason.STOPPED))
