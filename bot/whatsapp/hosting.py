"""One company hosted: its lock and lease, its session, and the waiting between connections."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from functools import partial
from uuid import UUID

from bot.background import to_the_end
from bot.whatsapp.arrivals import Arrivals
from bot.whatsapp.files import CompanyFiles
from bot.whatsapp.host import Host, WantedCompany, arrivals_of, journal_of
from bot.whatsapp.patience import Starts
from bot.whatsapp.phone import Phone
from bot.whatsapp.pictures import Pictures
from bot.whatsapp.session import Session
from bot.whatsapp.session_parts import Parts
from bot.whatsapp.states import Reason, State
from bot.whatsapp.suspects import Start
from bot.whatsapp.transitions import Transitions, after_code
from bot.whatsapp.typing import CustomersTyping
from models.errors import RetryLater, Unavailable

log = logging.getLogger(__name__)

_STEADY = 60.0
_EMPTY_LIMIT = 5.0
_PHONE_LOOK = 60.0
_ONLINE_LOOK = 1.0


class LeaseLost(RetryLater):
    """Another host owns the company now."""


class HostedCompany:
    """Runs one company until its state needs the owner, or until cancelled."""

    def __init__(self, host: Host, company: WantedCompany, files: CompanyFiles) -> None:
        self._host = host
        self._company = company
        self._files = files
        self._start: Start | None = None

    async def run(self, fence: int) -> None:
        """Returns when nothing is left to retry. Raises LeaseLost."""
        journal = journal_of(self._host, self._files)
        self._host.journals[self._company.id] = journal
        try:
            arrivals = arrivals_of(self._host, self._files, journal)
            await self._serve(self._session(arrivals), arrivals, fence)
        finally:
            del self._host.journals[self._company.id]
            journal.close()

    async def _serve(self, session: Session, arrivals: Arrivals, fence: int) -> None:
        """The replay is queued and old sends are settled before anything connects."""
        arrivals.replay()
        await self._host.delivery.attach(session, fence)
        self._files.write_boot()
        background = [
            arrivals.hand_over(),
            self._look_around(arrivals, fence),
            self._watch_phone(session),
        ]
        if self._company.typing_aware:
            background.append(self._keep_online(session))
        tasks = [asyncio.ensure_future(work) for work in (*background, self._connect(session))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            await arrivals.emptied(_EMPTY_LIMIT)
        finally:
            await to_the_end(self._leave(tasks, arrivals))

    async def _leave(self, tasks: Iterable[asyncio.Task[None]], arrivals: Arrivals) -> None:
        """The connection ends before its messages' taker."""
        try:
            await self._host.delivery.detach(self._company.id)
        finally:
            for task in reversed(list(tasks)):
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            arrivals.leave()

    async def _connect(self, session: Session) -> None:
        attempt = 0
        patience, loop = self._host.patience, asyncio.get_running_loop()
        starts = self._host.starts(self._company.id)
        while True:
            began = loop.time()
            state = await self._connect_once(session, starts)
            attempt = 0 if loop.time() - began > _STEADY else attempt + 1
            pause = patience.before_next(state, max(0, attempt - 1), self._host.now())
            if pause is None:
                return
            await asyncio.sleep(starts.pause(pause, loop.time()))

    async def _connect_once(self, session: Session, starts: Starts) -> State:
        """A start is only worth its leak where there are a device and a way to WhatsApp."""
        if (why := await self._host.unreachable()) is not None:
            return self._say(State(Reason.UNREACHABLE, why))
        try:
            if await self._host.books.device(self._files.session) is None:
                return self._say(after_code())
        except RetryLater as error:
            return self._say(State(Reason.FAULT, detail=str(error)))
        async with self._host.suspects.start(self._files, self._suspect) as self._start:
            starts.note(asyncio.get_running_loop().time())
            state = await session.live()
        if self._host.patience.retries(state):
            self._host.on_restart(state.reason)
        return state

    def _suspect(self, count: int) -> None:
        times = f"its last {count} starts each ended the whole process"
        self._say(State(Reason.FAULT, detail=times))

    def _on_state(self, company_id: UUID, state: State) -> None:
        if self._start is not None and state.reason is not Reason.CONNECTING:
            self._start.through()
        self._host.on_state(company_id, state)

    def _say(self, state: State) -> State:
        log.warning(state.sentence("en"), extra={"company": str(self._company.id)})
        self._host.on_state(self._company.id, state)
        return state

    async def _look_around(self, arrivals: Arrivals, fence: int) -> None:
        while True:
            await self._next_look()
            arrivals.obey()
            with contextlib.suppress(RetryLater, Unavailable):
                if not await self._host.leases.holds(self._company.id, fence):
                    break
        raise LeaseLost(f"another host owns company {self._company.id} now")

    async def _next_look(self) -> None:
        """All companies look in the same moment, so that PostgreSQL is asked once for all."""
        every = self._host.look_seconds
        await asyncio.sleep(every - asyncio.get_running_loop().time() % every)

    async def _keep_online(self, session: Session) -> None:
        while True:
            await session.keep_online()
            await asyncio.sleep(_ONLINE_LOOK)

    async def _watch_phone(self, session: Session) -> None:
        while True:
            await asyncio.sleep(_PHONE_LOOK)
            session.watch_phone()

    def _session(self, arrivals: Arrivals) -> Session:
        aware, loop = self._company.typing_aware, asyncio.get_running_loop()
        place = self._company.id, self._files.session
        parts = Parts(
            files=self._files,
            arrivals=arrivals,
            transitions=Transitions(self._host.protos, last_connected=self._company.last_connected),
            books=self._host.books,
            connection=partial(self._host.connect, *place, typing=aware),
            on_state=self._on_state,
            now=self._host.now,
            connect_limit=self._host.patience.connect,
            reconnect_limit=self._host.patience.reconnect,
            phone=Phone(self._files, self._host.protos, now=self._host.now),
            on_phone=self._host.on_phone,
            pictures=Pictures(self._host.private_networks),
            most_bytes=self._host.settings.media_megabytes * 2**20,
            media_seconds=self._host.settings.media_seconds,
            typing=CustomersTyping(self._host.protos, loop.time) if aware else None,
        )
        return Session(self._company.id, parts)
