"""A phone that nobody has said yet to be the company's own."""

from uuid import UUID

from bot.whatsapp.files import Pairing
from bot.whatsapp.locks import holding
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
