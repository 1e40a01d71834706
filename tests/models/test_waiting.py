"""Which chats that wait are brought back first."""

from uuid import UUID

from models.database import connect
from models.desk import Desk
from models.ledger import Ledger
from tests.builders import make_company, message

HOST = UUID(int=99)


async def test_a_flooded_company_lets_the_others_come_first_too(database: str) -> None:
    flooded, quiet = await make_company(database), await make_company(database)
    async with connect(database, connections=2) as opened:
        ledger, desk = Ledger(opened.call), Desk(opened.call, opened.rows)
        floods = [await arrived(ledger, flooded, number) for number in range(6)]
        alone = await arrived(ledger, quiet, 7)

        found = await desk.waiting(HOST, grace_seconds=0, limit=3)

    assert {(company, customer) for company, customer, _ in found} == {
        (flooded, floods[0]),
        (flooded, floods[1]),
        (quiet, alone),
    }


async def arrived(ledger: Ledger, company: UUID, number: int) -> UUID:
    """A customer who has just written."""
    phone = f"+1305555{number:04}"
    one = message(company, phone=phone, chat=phone)
    return (await ledger.accept(one, reason=None, pause_seconds=0)).customer.id
