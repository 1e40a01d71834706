"""A daemon tells an owner and an integrator what happens, also across a kill."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from bot.alerts.signing import signing_secret
from tests.fakes.receiver import Receiver, open_receiver
from tests.schemas import faults
from tests.system.conftest import OWN, Scene
from tests.system.warm import Child

MASTER = "0123456789abcdef0123456789abcdef"
SECRETS: Mapping[str, str] = {"LYROX_WEBHOOK_SECRET": MASTER}


@pytest.fixture
async def receiver(scene: Scene) -> AsyncIterator[Receiver]:
    """The company's own webhook, for alerts and events."""
    config = scene.home.config.read_text(encoding="utf-8")
    if "[alerts]" not in config:
        section = '[alerts]\nprivate_networks = ["127.0.0.0/8"]\nquiet_hours = ""\n'
        scene.home.config.write_text(f"{config}\n{section}", encoding="utf-8")
    async with open_receiver() as receiver:
        receiver.secret = signing_secret(MASTER, str(scene.company))
        await scene.look.execute(
            "INSERT INTO alert_settings (company_id, webhook, events, events_since, log_position)"
            " VALUES ($1, $2, $2, now(), now()) ON CONFLICT (company_id) DO UPDATE"
            " SET webhook = $2, events = $2, events_since = now(), log_position = now()",
            *(scene.company, receiver.url),
        )
        yield receiver
    assert [fault for document in receiver.taken for fault in faults(document)] == []
    await scene.look.execute("DELETE FROM deliveries")


@asynccontextmanager
async def running(scene: Scene) -> AsyncIterator[Child]:
    """A daemon whose session is connected."""
    await notes(scene, before="this daemon")
    words = (scene.phones.folder,)
    daemon = await scene.nursery.start(scene.home, *words, run="daemon", env=SECRETS)
    scene.daemon = daemon
    try:
        await daemon.until("ready")
        await scene.until(lambda: online(scene))
        yield daemon
    finally:
        await daemon.send(signal.SIGKILL)


async def becomes(scene: Scene, reason: str) -> None:
    """The company's WhatsApp is so, as its session would record it."""
    await notes(scene, reason=reason)


async def notes(scene: Scene, **words: str) -> None:
    """These words stand in the session's state until the session writes it again."""
    await scene.look.execute(
        "UPDATE companies SET whatsapp_session_data = whatsapp_session_data || $2 WHERE id = $1",
        *(scene.company, json.dumps(words)),
    )


async def online(scene: Scene) -> bool:
    """This daemon's session has said so, and will write no more."""
    query = "SELECT whatsapp_session_data FROM companies WHERE id = $1"
    state = json.loads(await scene.look.fetchval(query, scene.company) or "{}")
    return state.get("reason") == "online" and "before" not in state


async def eventually(receiver: Receiver, *types: str, seconds: float = 50) -> None:
    """Everything of these types has been taken, in this order."""
    async with asyncio.timeout(seconds):
        while [each for each in receiver.types() if each in types] != list(types):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_an_integrator_follows_a_conversation(scene: Scene, receiver: Receiver) -> None:
    phone = scene.customer()
    async with running(scene):
        scene.write(phone, "hola, ¿cuánto cuesta?")
        await eventually(receiver, "message.received", "reply.sent")

    received, sent = (
        one["data"] for one in receiver.taken if one["type"] in {"message.received", "reply.sent"}
    )
    assert received["text"] == "hola, ¿cuánto cuesta?"
    assert [sent["text"]] == scene.phones.arrived(phone)
    assert received["phone"] == sent["phone"] == f"+{phone}"


async def test_an_alert_outlives_a_kill_between_what_happened_and_its_telling(
    scene: Scene, receiver: Receiver
) -> None:
    await receiver.become("down")
    async with running(scene) as daemon:
        await becomes(scene, "logged_out")
        await scene.until(lambda: waiting(scene))
        await daemon.send(signal.SIGKILL)
    await receiver.become("ok")

    async with running(scene):
        await eventually(receiver, "alert.begun", seconds=30)
        [alert] = [one for one in receiver.taken if one["type"] == "alert.begun"]

    assert alert["data"]["kind"] == "logged_out"
    assert alert["company"]["slug"] == "panaderia"


async def test_a_hand_over_is_told_in_the_owners_own_chat_and_to_no_customer(
    scene: Scene, receiver: Receiver
) -> None:
    phone = scene.customer()
    async with running(scene):
        scene.write(phone, "quiero hablar con una persona")
        await eventually(receiver, "chat.handed_over")
        await scene.until(lambda: told(scene))

    [text] = scene.phones.arrived(OWN)
    assert text.startswith("*LYROX · Panaderia*\nAna (+")
    assert "espera que le conteste una persona: lo pidió." in text
    assert not any("LYROX" in line for line in scene.phones.arrived(phone))
    chats = await scene.look.fetch("SELECT DISTINCT chat FROM outbox")
    assert f"{OWN}@s.whatsapp.net" not in {row["chat"] for row in chats}


async def waiting(scene: Scene) -> bool:
    """An alert was tried in vain."""
    query = "SELECT count(*) FROM deliveries WHERE channel = 'webhook' AND reason IS NOT NULL"
    return bool(await scene.look.fetchval(query))


async def told(scene: Scene) -> bool:
    return bool(scene.phones.arrived(OWN))
