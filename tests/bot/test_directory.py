"""Where the states of sessions become visible, and who hears of them."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from bot.directory import PublicStates
from bot.metrics import Metrics
from bot.redis_store import RedisStore
from bot.session_keys import WhatsAppStates
from bot.whatsapp.states import Reason, State
from models.ledger import Desk


@pytest.mark.parametrize(
    ("reason", "heard"),
    [(Reason.ONLINE, True), (Reason.CONNECTING, False), (Reason.STOPPED, False)],
)
async def test_what_is_ready_is_sent_as_soon_as_a_company_is_connected(
    redis: RedisStore, reason: Reason, heard: bool
) -> None:
    company, connected = uuid4(), list[UUID]()

    async def call(*_: object) -> Any:
        return {}

    states = PublicStates(
        Desk(call, call), WhatsAppStates(redis), Metrics(), on_connected=connected.append
    )
    await states.record_state(company, State(reason), None)

    assert connected == ([company] if heard else [])
