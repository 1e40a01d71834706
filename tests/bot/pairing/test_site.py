"""The pairing page as the daemon opens it: a company's facts come from its row and its session."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from aiohttp import ClientSession

from bot.config import Daemon, Settings, WhatsApp
from bot.directory import LeaseDesk
from bot.metrics import Metrics
from bot.pairing.links import open_links
from bot.pairing.site import pairing_site
from bot.web_settings import Web
from bot.whatsapp.files import CompanyFiles, Pairing
from bot.whatsapp.states import Reason, State
from models.database import Database, connect
from models.desk import Desk
from models.errors import Unavailable
from models.ledger import Ledger
from tests.builders import make_company

NUMBER = "+5215512345678"


@pytest.fixture
async def opened(database: str) -> AsyncIterator[Database]:
    async with connect(database, connections=2) as made:
        yield made


class Place:
    """A daemon's surroundings of the page."""

    def __init__(self, folder: Path, database: Database, *, enabled: bool = True) -> None:
        self.settings = Settings(
            daemon=Daemon(state_dir=folder),
            web=Web(public_listen="127.0.0.1:0"),
            whatsapp=WhatsApp(enabled=enabled),
        )
        self.leases = LeaseDesk(
            Ledger(database.call), Desk(database.call, database.rows), UUID(int=7)
        )
        self.states: dict[UUID, State] = {}
        self.metrics = Metrics()

    @asynccontextmanager
    async def page(self, company: UUID) -> AsyncIterator[str]:
        """Its text, in English."""
        site = pairing_site(
            self.settings,
            0,
            states=lambda: self.states,
            leases=self.leases,
            metrics=self.metrics,
        )
        token, _ = open_links(self.settings).issue(company)
        async with (
            site as address,
            ClientSession() as client,
            client.get(
                f"http://{address}/pair/{token}", headers={"Accept-Language": "en"}
            ) as answer,
        ):
            yield await answer.text()


@pytest.fixture
def place(tmp_path: Path, opened: Database) -> Place:
    return Place(tmp_path, opened)


async def test_a_company_that_never_had_a_phone_is_invited(place: Place, database: str) -> None:
    company = await make_company(database, name="Pan <de> Ana")

    async with place.page(company) as text:
        assert "Link the WhatsApp of Pan &lt;de&gt; Ana" in text


async def test_what_this_process_knows_of_the_session_goes_before_what_was_recorded(
    place: Place, database: str
) -> None:
    company = await make_company(
        database,
        whatsapp_phone=NUMBER,
        whatsapp_session_data='{"reason": "online"}',
    )

    async with place.page(company) as recorded:
        assert f"connected as {NUMBER}" in recorded
    place.states[company] = State(Reason.LOGGED_OUT)
    async with place.page(company) as known:
        assert "The phone logged this linked device out." in known


async def test_the_number_shown_is_the_one_that_was_paired_here(
    place: Place, database: str, tmp_path: Path
) -> None:
    company = await make_company(database, whatsapp_phone="+13055550100")
    files = CompanyFiles(tmp_path, company)
    files.prepare()
    at = datetime(2026, 9, 1, tzinfo=UTC)
    files.write_note(Pairing(f"{NUMBER[1:]}:1@s.whatsapp.net", "", "android", at))
    place.states[company] = State(Reason.ONLINE)

    async with place.page(company) as text:
        assert f"connected as {NUMBER}" in text


async def test_a_company_or_owner_that_is_not_active_pairs_nothing(
    place: Place, database: str, tmp_path: Path, opened: Database
) -> None:
    inactive = await make_company(database, active=False)
    async with place.page(inactive) as text:
        assert "LYROX is stopped for this company" in text

    off = Place(tmp_path, opened, enabled=False)
    async with off.page(await make_company(database)) as text:
        assert "LYROX is stopped for this company" in text


async def test_a_company_that_is_gone_has_no_page(place: Place) -> None:
    async with place.page(uuid4()) as text:
        assert "This link does not work" in text


async def test_without_an_address_of_its_own_nothing_is_opened(place: Place) -> None:
    settings = place.settings.model_copy(update={"web": Web()})
    site = pairing_site(settings, 0, states=dict, leases=place.leases, metrics=place.metrics)

    async with site as address:
        assert address == ""


async def test_an_address_in_use_is_told_by_its_key(place: Place) -> None:
    def site(listen: str) -> AbstractAsyncContextManager[str]:
        web = Web(public_listen=listen)
        return pairing_site(
            place.settings.model_copy(update={"web": web}),
            0,
            states=dict,
            leases=place.leases,
            metrics=place.metrics,
        )

    async with site("127.0.0.1:0") as address:
        with pytest.raises(Unavailable, match=r"web\.public_listen: .* in use"):
            async with site(address):
                pass
