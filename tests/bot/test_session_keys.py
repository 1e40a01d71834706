"""``whatsapp_state`` and ``session`` on a real Valkey."""

from uuid import uuid4

import pytest

from bot.redis_store import RedisStore, open_redis
from bot.session_keys import UserSessions, WhatsAppState, WhatsAppStates
from models.errors import RetryLater
from tests.bot.conftest import PrivateValkey

PAYLOAD = {"sub": "5b9a2f5e-0d2a-4c39-9d2b-3f1f1c7f0002", "email": "ana@example.com", "exp": 1}


async def expiry(redis: RedisStore, key: str) -> int:
    [seconds] = await redis.pipeline(("TTL", key))
    return int(seconds)


async def test_a_whatsapp_state_is_one_of_the_documents_words_and_never_expires(
    redis: RedisStore,
) -> None:
    states, company = WhatsAppStates(redis), uuid4()

    for state, word in (("CONNECTED", b"connected"), ("QR_PENDING", b"qr_pending")):
        await states.set(company, WhatsAppState[state])
        assert await redis.get(f"whatsapp_state:{company}") == word

    assert await states.get(company) is WhatsAppState.QR_PENDING
    assert await expiry(redis, f"whatsapp_state:{company}") == -1


async def test_the_states_of_many_companies_come_together_and_unknown_ones_are_none(
    redis: RedisStore,
) -> None:
    states = WhatsAppStates(redis)
    one, two, foreign, absent = (uuid4() for _ in range(4))
    await states.set(one, WhatsAppState.CONNECTED)
    await states.set(two, WhatsAppState.DISCONNECTED)
    await redis.set(f"whatsapp_state:{foreign}", b"\xff")

    assert await states.many([one, two, foreign, absent]) == {
        one: WhatsAppState.CONNECTED,
        two: WhatsAppState.DISCONNECTED,
        foreign: None,
        absent: None,
    }
    assert await states.many([]) == {}
    assert await states.get(absent) is None


async def test_a_session_keeps_its_payload_for_seven_days(redis: RedisStore) -> None:
    sessions = UserSessions(redis)

    session = await sessions.create(PAYLOAD)

    assert await sessions.get(session) == PAYLOAD
    assert 604_790 < await expiry(redis, f"session:{session}") <= 604_800


async def test_a_session_can_be_replaced_and_ended(redis: RedisStore) -> None:
    sessions = UserSessions(redis)
    session = await sessions.create(PAYLOAD)

    await sessions.put(session, {"sub": "other"})
    assert await sessions.get(session) == {"sub": "other"}

    await sessions.delete(session)
    await sessions.delete(session)
    assert await sessions.get(session) is None


async def test_session_ids_are_random_and_long(redis: RedisStore) -> None:
    sessions = UserSessions(redis)

    ids = {await sessions.create({}) for _ in range(20)}

    assert len(ids) == 20
    assert {len(session) for session in ids} == {43}  # 256 bits in base64.


@pytest.mark.parametrize("forged", ["", "*", "../x", "a" * 42, "a" * 44, "é" * 43, "a" * 42 + "\n"])
async def test_a_forged_session_id_reaches_no_key(redis: RedisStore, forged: str) -> None:
    sessions = UserSessions(redis)
    await redis.set(f"session:{forged}", b"{}")

    assert await sessions.get(forged) is None
    await sessions.delete(forged)
    assert await redis.get(f"session:{forged}") == b"{}"
    with pytest.raises(ValueError, match="create"):
        await sessions.put(forged, {})


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b"\xff"])
async def test_a_session_that_is_not_readable_is_none(redis: RedisStore, value: bytes) -> None:
    await redis.set(f"session:{'a' * 43}", value)

    assert await UserSessions(redis).get("a" * 43) is None


async def test_with_redis_away_a_session_is_not_taken_for_ended(
    private_valkey: PrivateValkey,
) -> None:
    async with open_redis(private_valkey.url) as redis:
        session = await UserSessions(redis).create(PAYLOAD)
        private_valkey.kill()

        with pytest.raises(RetryLater):
            await UserSessions(redis).get(session)
        with pytest.raises(RetryLater):
            await WhatsAppStates(redis).set(uuid4(), WhatsAppState.CONNECTED)
