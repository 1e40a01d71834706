"""Companies that come, rest and go while a daemon runs: it follows them without a restart."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from tests.builders import make_company
from tests.system.conftest import Scene, pair

_numbers = itertools.count(1)


@dataclass
class Business:
    """One company of the scene, added while the daemon runs."""

    scene: Scene
    id: UUID
    slug: str

    async def connected(self, yes: bool = True) -> None:
        """Wait until its session runs, or has ended."""

        async def claim() -> bool:
            return (self.scene.phones.holder(self.id) is not None) is yes

        await self.scene.until(claim)

    async def set_active(self, word: str) -> None:
        """As the operator does it."""
        lyrox = self.scene.nursery.lyrox
        said = await lyrox(self.scene.home, "company", "set", self.slug, "--active", word)
        assert said.code == 0, said.err

    async def shown(self) -> dict[str, Any]:
        """What ``lyrox status`` says of it."""
        said = await self.scene.nursery.lyrox(self.scene.home, "status", "--json")
        return next(one for one in said.json()["companies"] if one["slug"] == self.slug)

    async def has_answered(self, phone: str) -> None:
        """Wait for the customer's only answer."""
        await self.scene.until(lambda: self.scene.closed(phone), seconds=30)
        assert len(self.scene.phones.arrived(phone)) == 1


@pytest.fixture
async def business(scene: Scene) -> Business:
    """A company that was added and paired after the daemon's start."""
    daemon = await scene.start()
    number = next(_numbers)
    slug = f"tienda-{number}"
    company = await make_company(scene.url, slug=slug)
    pair(scene.home, company, f"52166000000{number:02}")
    business = Business(scene, company, slug)
    await business.connected()
    assert daemon.alive
    return business


async def test_a_company_that_is_added_is_answered_for(business: Business) -> None:
    phone = business.scene.customer()

    business.scene.write(phone, company=business.id)

    await business.has_answered(phone)


async def test_a_company_that_is_made_inactive_stops_and_goes_on_when_it_is_active_again(
    business: Business,
) -> None:
    scene, phone = business.scene, business.scene.customer()

    await business.set_active("no")
    await business.connected(False)
    wa_id = scene.write(phone, company=business.id)
    shown = await business.shown()
    row = await scene.look.fetchval(
        "SELECT whatsapp_connected FROM companies WHERE id = $1", business.id
    )

    assert (shown["state"], shown["active"], row) == ("disconnected", False, False)
    assert "`lyrox company set`" in shown["sentence"]
    assert not scene.phones.taken(wa_id)

    await business.set_active("yes")
    await business.has_answered(phone)


async def test_a_company_stops_while_its_owners_account_is_not_active(business: Business) -> None:
    scene, phone = business.scene, business.scene.customer()

    async def set_status(status: str) -> None:
        await scene.look.execute(
            "UPDATE users SET status = $1 WHERE id ="
            " (SELECT owner_id FROM companies WHERE id = $2)",
            status,
            business.id,
        )

    await set_status("suspended")
    await business.connected(False)
    scene.write(phone, company=business.id)
    await set_status("active")

    await business.has_answered(phone)


async def test_a_company_that_is_removed_stops_and_the_others_run_on(business: Business) -> None:
    scene, phone = business.scene, business.scene.customer()

    await scene.look.execute("DELETE FROM companies WHERE id = $1", business.id)

    await business.connected(False)
    scene.write(phone)
    await business.has_answered(phone)
    assert business.scene.phones.holder(scene.company) is not None


async def test_a_paused_company_stays_connected_and_answers_when_it_is_resumed(
    business: Business,
) -> None:
    scene = business.scene
    before, after = scene.customer(), scene.customer()

    assert (await scene.nursery.lyrox(scene.home, "pause", business.slug)).code == 0
    scene.write(before, company=business.id)
    await scene.until(is_silent(scene, before))
    assert scene.phones.holder(business.id) is not None
    assert scene.phones.arrived(before) == []
    assert (await scene.nursery.lyrox(scene.home, "resume", business.slug)).code == 0
    scene.write(after, company=business.id)

    await business.has_answered(after)
    await business.has_answered(before)


def is_silent(scene: Scene, phone: str) -> Callable[[], Any]:
    """A claim to be waited for: the message is kept, and will not be answered."""

    async def claim() -> bool:
        return await scene.states(phone, "inbox") == ["silent"]

    return claim
