"""Whether a phone just linked is the company's, as ``lyrox pair`` decides it."""

import asyncio
import sys
from uuid import UUID

from bot.cli.stores import open_database
from bot.config import Settings
from bot.directory import LeaseDesk
from bot.whatsapp.pairing import PairEvent
from bot.whatsapp.pairing_ends import ANOTHER_NUMBER
from bot.whatsapp.states import Reason
from models.companies import Company
from models.desk import Desk
from models.errors import RetryLater, Unavailable
from models.ledger import Ledger

QUESTION = (
    "{slug} had the number {former}; this phone is {phone}. Its customers will be answered from"
    " there. Is that right? [y/N] "
)
UNASKED = (
    "lyrox: {slug}: this phone is {phone}, before it was {former}; nobody can be asked here, so"
    " unless somebody says on the pairing page that it is right, it is unlinked in {seconds:.0f} s."
    " --new-number takes it without asking"
)
ELSEWHERE_SECONDS = 60.0
"""How long somebody who follows the same pairing elsewhere may take to decide."""


class Decision:
    """Asks the person at the terminal, where *asks* allows it and somebody is there."""

    def __init__(
        self,
        settings: Settings,
        company: Company,
        *,
        new_number: bool,
        asks: bool,
        elsewhere_seconds: float = ELSEWHERE_SECONDS,
    ) -> None:
        self._settings = settings
        self._company = company
        self._new_number = new_number
        self._asks = asks
        self._elsewhere_seconds = elsewhere_seconds

    async def decide(self, linked: PairEvent) -> str:
        """ "" to keep the phone, or why it is to be unlinked."""
        if linked.changes_number and not (self._new_number or await self._agrees(linked)):
            return ANOTHER_NUMBER
        try:
            async with open_database(self._settings) as database:
                other = await LeaseDesk(
                    Ledger(database.call), Desk(database.call, database.rows), UUID(int=0)
                ).claim_number(self._company.id, linked.phone)
        except (RetryLater, Unavailable):
            return ""  # The daemon claims the number once more before it connects.
        return "" if other is None else Reason.NUMBER_IN_USE.value

    async def _agrees(self, linked: PairEvent) -> bool:
        words = {"slug": self._company.slug, "phone": linked.phone, "former": linked.former}
        if not (self._asks and sys.stdin.isatty()):
            print(UNASKED.format(**words, seconds=self._elsewhere_seconds), file=sys.stderr)
            await asyncio.sleep(self._elsewhere_seconds)
            return False
        print(QUESTION.format(**words), end="", flush=True)
        answer = await _typed()
        return answer.strip().lower() in {"y", "yes", "s", "si", "sí"}


async def _typed() -> str:
    """A line from the terminal; leaves no thread behind when somebody else decides meanwhile."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ready.set)
    try:
        await ready.wait()
        return sys.stdin.readline()
    finally:
        loop.remove_reader(sys.stdin.fileno())
