"""The customer's phone is off while the daemon is killed: WhatsApp keeps what it is told."""

import asyncio

import pytest

from tests.system.takeover import SETTLED, Shop, arrivals

pytestmark = [pytest.mark.whatsapp, pytest.mark.faults]


@pytest.mark.timeout(120)
async def test_a_phone_that_comes_back_long_after_the_kill_gets_one_answer(
    opened_shop: Shop,
) -> None:
    shop, ana = opened_shop, opened_shop.customer()
    shop.model.waits()
    async with shop.daemon() as daemon:
        await shop.connected()
        await shop.write(ana)
        await asyncio.wait_for(shop.model.asked.wait(), 30)
        ana.off = True
        await daemon.kill()
    shop.at_rest()

    async def sent() -> bool:
        return await shop.rows(ana, "outbox") == [("sent", None)]

    async with shop.daemon():
        await shop.until(sent)
        await asyncio.sleep(SETTLED)
        assert arrivals(ana) == []

        ana.switch_on()
        await asyncio.sleep(SETTLED)

    assert len(arrivals(ana)) == 1
    assert await shop.rows(ana, "inbox") == [("answered", None)]
