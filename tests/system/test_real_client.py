"""The real daemon and the real client: what comes twice, late or badly is answered once."""

import asyncio

import pytest

from tests.system.shop import Shop, opened
from tests.whatsapp_server.faults import Faults, failure
from tests.whatsapp_server.signs import receipt

__all__ = ["opened"]

pytestmark = pytest.mark.whatsapp


@pytest.fixture
async def shop(opened: Shop) -> Shop:
    """The shop, with a server in order."""
    opened.owner.faults = Faults()
    return opened


async def test_one_id_in_two_ciphertexts_is_one_message_with_one_reply(shop: Shop) -> None:
    ana = shop.customer()

    await shop.deliver(shop.text(ana, "3AD001"), shop.text(ana, "3AD001"))

    await shop.says_once(ana)
    assert await shop.metric('lyrox_messages_accepted_total{verdict="duplicate"}') == 1


async def test_a_message_whose_receipt_was_lost_is_not_answered_again(shop: Shop) -> None:
    ana, logins = shop.customer(), shop.owner.logins
    shop.owner.faults.loses_receipts = True

    await shop.deliver(shop.text(ana, "3AD002"))
    await shop.says_once(ana)
    assert "3AD002" in shop.owner.unreceipted
    shop.server.online[shop.owner.number].drop()
    await shop.comes_back(logins)

    async with asyncio.timeout(30):
        duplicates = 'lyrox_messages_accepted_total{verdict="duplicate"}'
        while not await shop.metric(duplicates):  # noqa: ASYNC110 - Another process knows it.
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)
    assert ana.inbox.empty()
    assert await shop.ledger(ana) == {"inbox": ["answered"], "outbox": ["sent"]}


async def test_receipts_the_client_has_no_name_for_do_not_end_its_loop(shop: Shop) -> None:
    ana, logins = shop.customer(), shop.owner.logins
    await shop.deliver(shop.text(ana, "3AD003"))
    reply = await shop.says_once(ana)

    for kind in ("server-error", "view", "read", "something-new"):
        await shop.deliver(receipt(ana, reply, kind=kind))
    eva = shop.customer()
    await shop.deliver(shop.text(eva, "3AD004"))

    await shop.says_once(eva)
    assert shop.owner.logins == logins


async def test_a_dead_loop_is_started_again_and_counted_and_what_waited_is_answered(
    shop: Shop,
) -> None:
    ana, logins = shop.customer(), shop.owner.logins
    shop.owner.faults.refuses = failure(418)
    shop.server.online[shop.owner.number].drop()
    await shop.deliver(shop.text(ana, "3AD005"), shop.text(ana, "3AD005"))
    await shop.daemon.until("starts again by itself")
    shop.owner.faults = Faults()

    await shop.comes_back(logins + 1)

    await shop.says_once(ana)
    assert await shop.metric('lyrox_session_restarts_total{reason="fault"}') >= 1


async def test_a_server_that_answers_slowly_only_takes_longer(shop: Shop) -> None:
    ana, logins = shop.customer(), shop.owner.logins
    shop.owner.faults.delay = 0.3
    shop.server.online[shop.owner.number].drop()
    await shop.comes_back(logins)

    await shop.deliver(shop.text(ana, "3AD008"))

    await shop.says_once(ana)
    assert shop.owner.logins == logins + 1


@pytest.mark.slow
@pytest.mark.timeout(200)
async def test_a_reply_whose_ack_never_came_is_settled_as_sent_and_not_said_again(
    shop: Shop,
) -> None:
    ana, eva = shop.customer(), shop.customer()
    shop.owner.faults.withholds_acks = True
    await shop.deliver(shop.text(ana, "3AD006"))
    await asyncio.wait_for(ana.inbox.get(), 50)

    await asyncio.sleep(80)  # The client itself waits 75 s for an ack.
    shop.owner.faults = Faults()
    await shop.deliver(shop.text(eva, "3AD007"))

    await shop.says_once(eva)
    assert ana.inbox.empty()
    assert await shop.metric('lyrox_outbox_settled_total{found="sent"}') == 1
    assert await shop.ledger(ana) == {"inbox": ["answered"], "outbox": ["sent"]}
