"""What is known of each company's WhatsApp reaches its book, the newest of it last."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

from bot.whatsapp.files import Pairing
from bot.whatsapp.recording import StateRecorder
from bot.whatsapp.states import Reason, State

COMPANY = uuid4()
AT = datetime(2026, 11, 2, tzinfo=UTC)


class SlowBook:
    """Keeps what is recorded, each time only when it is let go."""

    def __init__(self) -> None:
        self.recorded: list[Pairing | None] = []
        self.asked = asyncio.Semaphore(0)
        self.go = asyncio.Semaphore(0)

    async def record_state(self, company_id: UUID, state: State, pairing: Pairing | None) -> None:
        assert (company_id, state) == (COMPANY, State(Reason.ONLINE))
        self.asked.release()
        await self.go.acquire()
        self.recorded.append(pairing)

    def forget(self, company_id: UUID) -> None:
        raise AssertionError(company_id)


async def test_a_sign_of_the_phone_while_its_company_is_being_recorded_is_recorded_too() -> None:
    book, known = SlowBook(), [Pairing("521:1@s.whatsapp.net", "1:1@lid", "android", AT)]
    recorder = StateRecorder(book, lambda _: known[-1])
    running = asyncio.ensure_future(recorder.run())
    recorder.say(COMPANY, State(Reason.ONLINE))
    await book.asked.acquire()

    known.append(Pairing("521:1@s.whatsapp.net", "1:1@lid", "android", AT, phone_seen_at=AT))
    recorder.again(COMPANY)
    book.go.release()
    book.go.release()
    async with asyncio.timeout(5):
        await book.asked.acquire()
    running.cancel()
    await asyncio.gather(running, recorder.finish(), return_exceptions=True)

    assert book.recorded[:2] == known
