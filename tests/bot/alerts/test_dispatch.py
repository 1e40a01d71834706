"""Deliveries: in order, once by id, with patience for a day, through every trouble on the way."""

import asyncio
import json
from datetime import timedelta
from uuid import UUID

import pytest

from bot.alerts.carriers import Carrier, Parcel
from bot.alerts.signing import signing_secret
from models.alerts import Outlet
from models.errors import RetryLater
from tests.bot.alerts.conftest import MASTER, NOON, OpenScene, Scene
from tests.fakes.wire import FakeWire

HOUR, DAY = 3600, 86400
CHAT = "584125550100@s.whatsapp.net"


async def put(scene: Scene, *numbers: int, channel: str = "webhook") -> None:
    """Alerts that wait in one of the company's queues, by number."""
    for number in numbers:
        payload = {
            "incident": str(UUID(int=number)),
            "kind": "logged_out",
            "subject": "",
            "facts": {"reason": "logged_out"},
            "began": NOON.isoformat(),
            "ended": None,
            "at": scene.now.isoformat(),
        }
        await scene.look.execute(
            "INSERT INTO deliveries (company_id, event_id, channel, type, source, payload,"
            " created_at, next_try_at) VALUES ($1, $2, $3, 'alert.begun', $4, $5, $6, $6)",
            *(scene.company, UUID(int=number), channel, f"test-{number}", json.dumps(payload)),
            scene.now,
        )


def numbers(scene: Scene) -> list[int]:
    """What the receiver took, in its order."""
    return [UUID(each).int for each in scene.receiver.ids()]


@pytest.mark.parametrize("mode", ["down", "500", "slow", "redirect"])
async def test_what_a_receiver_could_not_take_for_an_hour_comes_in_order_once_it_is_back(
    open_scene: OpenScene, mode: str
) -> None:
    async with open_scene(post_seconds=0.1 if mode == "slow" else 5.0) as scene:
        await put(scene, 1, 2)
        await scene.receiver.become(mode)
        await scene.after(HOUR / 2)
        await put(scene, 3, 4)
        await scene.after(HOUR / 2)
        assert scene.receiver.taken == []
        tries = (await scene.rows("id, attempts", "deliveries"))[0][1]
        assert 12 <= tries <= 24  # Doubling from 5 s, never more than 5 min apart.

        await scene.receiver.become("ok")
        await scene.after(600, step=30)

        assert numbers(scene) == [1, 2, 3, 4]
        assert {state for (state,) in await scene.rows("state", "deliveries")} == {"delivered"}


async def test_a_day_in_vain_ends_in_a_dead_letter_and_the_next_gets_its_turn(
    scene: Scene,
) -> None:
    await put(scene, 1)
    await scene.receiver.become("down")
    await scene.after(DAY - 1200, step=HOUR)
    await put(scene, 2)
    assert await scene.rows("state", "deliveries") == [("waiting",), ("waiting",)]
    await scene.after(1500, step=290)

    states = await scene.rows("id, state, reason", "deliveries")
    assert [state for _, state, _ in states] == ["dead", "waiting"]
    assert "Cannot connect" in states[0][2]
    seen = await scene.alerts.desk.overview()
    [letter] = seen["letters"]
    assert (seen["dead"], letter["channel"], letter["type"]) == (1, "webhook", "alert.begun")
    await scene.receiver.become("ok")
    await scene.after(300, step=30)
    assert numbers(scene) == [2]


async def test_a_dead_letter_can_be_sent_again_under_its_id_and_has_another_day(
    scene: Scene,
) -> None:
    await put(scene, 1)
    await scene.receiver.become("down")
    await scene.after(DAY + HOUR, step=HOUR)
    [(_, event_id, state)] = await scene.rows("id, event_id, state", "deliveries")
    assert state == "dead"

    await scene.alerts.desk.retry(scene.company, scene.now)
    await scene.after(20 * HOUR, step=HOUR)
    assert await scene.rows("state", "deliveries") == [("waiting",)]
    await scene.receiver.become("ok")
    await scene.after(HOUR, step=300)

    assert scene.receiver.ids() == [str(event_id)]


async def test_a_dead_alert_of_what_is_over_is_not_sent_again(scene: Scene) -> None:
    await scene.session("logged_out")
    await scene.receiver.become("down")
    await scene.after(25 * HOUR, step=HOUR)
    await scene.session("online")
    await scene.after(26 * HOUR, step=HOUR)
    states = await scene.rows("id, type, state", "deliveries")
    assert [row[1:] for row in states] == [
        ("alert.begun", "dead"),
        ("alert.repeated", "dead"),
        ("alert.ended", "dead"),
    ]

    done = await scene.alerts.desk.retry(None, scene.now)
    await scene.receiver.become("ok")

    assert (done.again, done.over) == (1, 2)
    assert await scene.after(10) == ["alert.ended"]


async def test_an_alert_survives_a_crash_between_the_event_and_its_delivery(
    scene: Scene, open_scene: OpenScene
) -> None:
    await scene.session("logged_out")

    async with open_scene(company=scene.company) as next_life:
        assert await next_life.after(0) == ["alert.begun"]


async def test_a_kill_in_the_middle_of_a_try_repeats_the_same_id_and_nothing_else(
    scene: Scene, open_scene: OpenScene
) -> None:
    await put(scene, 1, 2)
    queue = (scene.company, Outlet.WEBHOOK)
    assert await scene.alerts.desk.next(queue, scene.now, hold_seconds=60)

    async with open_scene(company=scene.company) as next_life:
        await next_life.after(59, step=20)
        assert numbers(next_life) == []
        await next_life.after(2, step=2)

        assert numbers(next_life) == [1, 2]


async def test_every_try_is_signed_with_the_moment_of_the_try(scene: Scene) -> None:
    scene.receiver.secret = "whsec_AAAA"
    await put(scene, 1)
    await scene.after(0)
    assert (scene.receiver.asked, numbers(scene)) == (1, [])

    scene.receiver.secret = signing_secret(MASTER, "installation")
    await scene.after(10, step=10)

    assert numbers(scene) == [1]


async def test_a_companys_own_webhook_is_signed_with_its_own_secret(scene: Scene) -> None:
    scene.receiver.secret = signing_secret(MASTER, str(scene.company))
    await scene.set(webhook=f"{scene.receiver.url}?own=1")
    await put(scene, 1)

    await scene.after(0)

    assert numbers(scene) == [1]


async def test_without_a_secret_nothing_is_sent_and_that_is_told(open_scene: OpenScene) -> None:
    async with open_scene(secrets=lambda _: "too short") as scene:
        await put(scene, 1)
        await scene.after(0)

        [(reason,)] = await scene.rows("reason", "deliveries")

    assert "webhook_secret" in reason
    assert scene.receiver.asked == 0


async def test_a_corrected_address_gets_what_waited(scene: Scene) -> None:
    await scene.set(webhook="http://127.0.0.1:9/")
    await put(scene, 1)
    await scene.after(60, step=20)
    assert numbers(scene) == []

    await scene.look.execute("UPDATE alert_settings SET webhook = NULL")
    await scene.after(60, step=20)

    assert numbers(scene) == [1]


async def test_what_has_nowhere_to_go_any_more_is_dropped(scene: Scene) -> None:
    await put(scene, 1)
    await scene.set(webhook="")

    await scene.after(0)

    assert await scene.rows("state", "deliveries") == [("dropped",)]


async def test_one_receivers_trouble_is_not_anothers(scene: Scene, open_scene: OpenScene) -> None:
    await scene.set(webhook="http://127.0.0.1:9/")
    async with open_scene() as other:
        await put(scene, 1)
        await put(other, 2)

        await other.after(0)

    assert numbers(scene) == [2]


async def test_a_link_is_a_fresh_one_at_each_try(open_scene: OpenScene) -> None:
    made: list[str] = []

    def link(company_id: UUID) -> str:
        made.append(f"https://bot.test/pair/{len(made)}")
        return made[-1]

    async with open_scene(link=link) as scene:
        await put(scene, 1)
        await scene.receiver.become("500")
        await scene.after(0)
        await scene.receiver.become("ok")
        await scene.after(10, step=10)

        [document] = scene.receiver.taken

    assert document["data"]["link"] == made[-1] != made[0]
    assert made[-1] in document["data"]["text"].splitlines()


class Broken:
    """A carrier with a defect."""

    hold_seconds = 60.0

    def ready(self, _: UUID) -> bool:
        return True

    async def carry(self, _: Parcel) -> str:
        raise ZeroDivisionError


async def test_a_defect_in_a_channel_stops_nothing_and_is_tried_again(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    carriers: dict[Outlet, Carrier] = scene.alerts.loop._dispatcher._carriers  # type: ignore[assignment]
    whole = carriers[Outlet.WEBHOOK]
    carriers[Outlet.WEBHOOK] = Broken()
    await put(scene, 1)
    await scene.after(0)
    async with asyncio.timeout(5):  # Its end is told a moment after the delivery's.
        while "background task failed" not in caplog.text:  # noqa: ASYNC110 - No other word.
            await asyncio.sleep(0)

    carriers[Outlet.WEBHOOK] = whole
    await scene.after(120, step=30)

    assert numbers(scene) == [1]


async def test_postgresql_that_is_away_is_waited_for(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    async def away(*_: object) -> dict[str, object]:
        raise RetryLater("PostgreSQL does not answer")

    desk = scene.alerts.desk
    whole, desk._call = desk._call, away
    await scene.after(2, step=1)
    assert "alerts wait for PostgreSQL" in caplog.text

    desk._call = whole
    await put(scene, 1)
    await scene.after(2, step=1)
    assert numbers(scene) == [1]


async def paired(scene: Scene) -> None:
    """The company has a phone."""
    await scene.look.execute(
        "UPDATE companies SET whatsapp_session_data = $2 WHERE id = $1",
        *(scene.company, json.dumps({"jid": "584125550100:3@s.whatsapp.net"})),
    )


class Quiet:
    """A delivery that takes no note of wires."""

    async def attach(self, wire: object, fence: int) -> None:
        """No note."""

    async def detach(self, company_id: UUID) -> None:
        """No note."""


async def attach(scene: Scene) -> FakeWire:
    """The company's session is here now."""
    wire = FakeWire(scene.company)
    await scene.alerts.own_chats.before(Quiet()).attach(wire, 1)
    return wire


async def hand_over(scene: Scene) -> None:
    until = (scene.now + timedelta(hours=1)).isoformat()
    await scene.happens("handover", "c", name="Ana", phone="+1305", until=until)


async def test_the_own_chat_waits_for_its_session_and_then_gets_one_message(scene: Scene) -> None:
    await paired(scene)
    await hand_over(scene)
    await scene.after(600)

    wire = await attach(scene)
    await scene.after(5, step=5)

    [arrived] = wire.arrived
    assert arrived.chat == CHAT
    assert "Ana (+1305) espera que le conteste una persona" in arrived.text
    assert await scene.rows("state", "outbox") == []


async def test_what_is_over_before_its_session_is_back_is_not_written_into_the_chat(
    scene: Scene,
) -> None:
    await paired(scene)
    await hand_over(scene)
    await scene.after(60)
    await scene.happens("handover_over", "c")
    await scene.after(60)

    wire = await attach(scene)
    await scene.after(5, step=5)

    assert wire.arrived == []
    states = dict(await scene.rows("channel, state", "deliveries"))
    assert states == {"webhook": "delivered", "whatsapp": "dropped"}


async def test_news_of_yesterday_are_not_written_into_the_chat(scene: Scene) -> None:
    await paired(scene)
    await scene.session("phone_asleep")
    await scene.after(25 * HOUR, step=HOUR)

    wire = await attach(scene)
    await scene.after(5, step=5)

    [arrived] = wire.arrived
    assert "Sigue así desde" in arrived.text


async def test_a_company_that_wants_no_messages_in_its_chat_gets_none(scene: Scene) -> None:
    await paired(scene)
    await scene.set(whatsapp=False)
    wire = await attach(scene)

    await hand_over(scene)
    await scene.after(60)

    assert wire.arrived == []
