"""Whether a company's session may run here, and what to say of it where it may not."""

import logging
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from bot.whatsapp.files import CompanyFiles, Pairing, phone_of
from bot.whatsapp.locks import holder
from bot.whatsapp.recording import StateRecorder
from bot.whatsapp.settlement import SessionBooks, SessionDamaged
from bot.whatsapp.states import Reason, State, WayOut
from models.errors import RetryLater

log = logging.getLogger(__name__)

Device = dict[str, str]


class Admission:
    """Looks at the files of companies that are not hosted at the moment."""

    def __init__(
        self, books: SessionBooks, recorder: StateRecorder, now: Callable[[], datetime]
    ) -> None:
        self._books = books
        self._recorder = recorder
        self._now = now
        self._seen: dict[UUID, tuple[tuple[int, ...], Device | None]] = {}
        self._resting: dict[UUID, Pairing | None] = {}

    async def may_start(self, files: CompanyFiles) -> bool:
        """Whether there is a phone, and anything to hope for since the last time.

        A damaged file is let in: only who holds its lock may set it aside.
        """
        try:
            device = await self.device(files)
        except SessionDamaged:
            return True
        except RetryLater as error:
            self._say(files, State(Reason.FAULT, detail=str(error)))
            return False
        if device is None:
            self.wake(files.company_id)
            self._say_unpaired(files)
            return False
        resting = files.company_id in self._resting
        return not (resting and self._resting[files.company_id] == files.read_note())

    async def device(self, files: CompanyFiles) -> Device | None:
        """The paired device, unless nobody has said yet that it is the right one.

        The file is asked again only when it has changed. Raises SessionDamaged, or RetryLater while
        it cannot be read.
        """
        trace = files.trace()
        known, device = self._seen.get(files.company_id, ((), None))
        if trace != known:
            device = await self._books.device(files.session)
            self._seen[files.company_id] = (trace, device)
        return None if _is_strange(files, device) else device

    def rest(self, files: CompanyFiles) -> None:
        """Start nothing there before the phone has been paired again."""
        self._resting[files.company_id] = files.read_note()

    def wake(self, company_id: UUID) -> None:
        """Whatever was so is no longer so."""
        self._resting.pop(company_id, None)

    def set_aside(self, files: CompanyFiles, error: SessionDamaged) -> None:
        """A damaged file makes room for a new pairing; call it under the company's lock."""
        name = files.set_aside("corrupt", self._now())
        log.error("a session file is damaged", extra={"error": str(error), "kept_as": name})
        self.say_over(files, State(Reason.DAMAGED, detail=name))

    def say_over(self, files: CompanyFiles, state: State) -> None:
        """A session has ended that needs a phone; the next process is to know why, too."""
        try:
            files.write_end(state)
        except OSError as error:
            log.warning("why a session is over is not on disk", extra={"error": str(error)})
        self._say(files, state)

    def say_held(self, files: CompanyFiles) -> None:
        """Somebody else has the company's lock, although no other host has its lease."""
        who = holder(files.lock)
        pairing = who.startswith("pairing")
        self._say(files, State(Reason.PAIRING) if pairing else State(Reason.FILE_HELD, detail=who))

    def _say_unpaired(self, files: CompanyFiles) -> None:
        """What a session said when it ended is better than what an empty file says."""
        known = self._recorder.known().get(files.company_id)
        _, device = self._seen.get(files.company_id, ((), None))
        if holder(files.lock).startswith("pairing"):
            self._say(files, State(Reason.PAIRING))
        elif device is not None and _is_strange(files, device):
            self._say(files, State(Reason.NUMBER_CHANGED, detail=phone_of(device["jid"])))
        elif known is None or not _needs_a_phone(known):
            self._say(files, files.read_end() or State(Reason.NEVER_PAIRED))

    def _say(self, files: CompanyFiles, state: State) -> None:
        self._recorder.say(files.company_id, state)


def _is_strange(files: CompanyFiles, device: Device | None) -> bool:
    return device is not None and not files.is_confirmed(device["jid"])


def _needs_a_phone(state: State) -> bool:
    passing = state.reason in (Reason.PAIRING, Reason.NUMBER_CHANGED)
    return state.meaning.way_out is WayOut.OWNER_PAIRS and not passing
