"""A phone that nobody has said yet to be the company's own."""

from pathlib import Path
from typing import cast
from uuid import UUID, uuid4

from bot.whatsapp.admission import Admission
from bot.whatsapp.files import CompanyFiles, Pairing
from bot.whatsapp.locks import holding
from bot.whatsapp.recording import StateRecorder
from bot.whatsapp.settlement import SessionBooks
from bot.whatsapp.states import Reason
from tests.bot.whatsapp.test_sessions import NOW, PAIRED_AT, Machine, machine
from tests.fakes.connection import SessionFile

__all__ = ["machine"]

FORMER, OTHER = "5215512345678", "5215587654321"


def relinked(machine: Machine, company: UUID) -> SessionFile:
    """The company's phone was unlinked, and another one linked that nobody asked about."""
    file = machine.pair(company, FORMER)
    file.unpair()
    file.pair(OTHER)
    return file


async def test_a_phone_with_another_number_is_not_hosted_until_somebody_confirms_it(
    machine: Machine,
) -> None:
    company = machine.add(number=None)
    relinked(machine, company)

    async with machine.running() as desk:
        await desk.reaches(company, Reason.NUMBER_CHANGED)
        assert f"+{OTHER}" in machine.sentence(company)
        assert machine.connector.made == {}

        note = Pairing(f"{OTHER}:1@s.whatsapp.net", "", "android", NOW)
        machine.files(company).write_note(note)
        await desk.reaches(company, Reason.ONLINE)


async def test_a_phone_with_another_number_that_was_unlinked_is_forgotten(machine: Machine) -> None:
    company = machine.add(number=None)
    file = relinked(machine, company)

    async with machine.running() as desk:
        await desk.reaches(company, Reason.NUMBER_CHANGED)
        file.unpair()
        await desk.reaches(company, Reason.LOGGED_OUT)


async def test_a_phone_just_paired_is_shown_as_a_pairing_until_its_session_is_free(
    machine: Machine,
) -> None:
    company = machine.add()

    async with machine.running() as desk:
        with holding(machine.files(company).lock, "pairing") as ours:
            assert ours
            await desk.reaches(company, Reason.PAIRING)
            assert Reason.FILE_HELD not in desk.states[company]
        await desk.reaches(company, Reason.ONLINE)
    pairing = desk.pairings[company]
    assert pairing is not None
    assert pairing.paired_at == PAIRED_AT


class CountedBooks:
    """Knows the same device each time it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def device(self, _: Path) -> dict[str, str]:
        self.asked += 1
        return {"jid": f"{FORMER}:1@s.whatsapp.net", "lid": "", "platform": ""}


async def test_a_file_is_asked_again_only_when_it_has_changed(tmp_path: Path) -> None:
    books, files = CountedBooks(), CompanyFiles(tmp_path, uuid4())
    files.prepare()
    recorder = StateRecorder(Machine(tmp_path).desk, lambda _: None)
    admission = Admission(cast("SessionBooks", books), recorder, lambda: NOW)
    files.session.write_bytes(b"one")

    looks = [await admission.may_start(files) for _ in range(3)]
    files.session.write_bytes(b"another")
    looks.append(await admission.may_start(files))

    assert looks == [True] * 4
    assert books.asked == 2
