"""What owners hear, and when: once, again after a day, and when it is over."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from bot.alerts.kinds import Kind
from tests.bot.alerts.conftest import NOON, OpenScene, Scene
from tests.builders import make_company

DAY, HOUR, MINUTE = 86400, 3600, 60


async def told(scene: Scene, *parts: str) -> list[tuple[Any, ...]]:
    """What was taken, by these parts of its data."""
    return [tuple(one["data"].get(part) for part in parts) for one in scene.receiver.taken]


async def test_an_unlinked_phone_is_told_at_once_and_only_once(scene: Scene) -> None:
    await scene.session("logged_out")

    assert await scene.after(0) == ["alert.begun"]
    assert await scene.after(23 * HOUR, step=HOUR) == []
    [document] = scene.receiver.taken
    assert document["company"]["id"] == str(scene.company)
    assert document["data"]["kind"] == "logged_out"
    assert document["data"]["urgent"] is True
    assert "El teléfono cerró la sesión" in document["data"]["text"]


async def test_what_goes_on_is_told_again_each_day(scene: Scene) -> None:
    await scene.session("logged_out")

    heard = await scene.after(49 * HOUR, step=HOUR)

    assert heard == ["alert.begun", "alert.repeated", "alert.repeated"]
    assert len(set(scene.receiver.ids())) == 3
    assert "Sigue así desde el 2026-03-02 12:00." in scene.receiver.taken[-1]["data"]["text"]


async def test_a_repetition_brings_a_fresh_link(open_scene: OpenScene) -> None:
    numbers = count(1)
    async with open_scene(link=lambda _: f"https://bot.test/pair/{next(numbers)}") as scene:
        await scene.session("logged_out")
        await scene.after(25 * HOUR, step=HOUR)

    links = [link for (link,) in await told(scene, "link")]
    assert links == ["https://bot.test/pair/1", "https://bot.test/pair/2"]
    assert links[1] in scene.receiver.taken[1]["data"]["text"]


async def test_its_end_is_told_and_a_new_begin_is_a_new_incident(scene: Scene) -> None:
    await scene.session("logged_out")
    await scene.after(HOUR)
    await scene.session("online")
    assert await scene.after(0) == ["alert.ended"]
    await scene.session("logged_out")
    assert await scene.after(0) == ["alert.begun"]

    first, over, second = await told(scene, "incident")
    assert first == over != second


async def test_a_restart_between_does_not_tell_again(scene: Scene, open_scene: OpenScene) -> None:
    await scene.session("logged_out")
    await scene.after(0)

    async with open_scene(company=scene.company, at=NOON + timedelta(hours=1)) as again:
        for reason in ("stopped", "connecting", "logged_out"):
            await again.session(reason)

        assert await again.after(HOUR) == []


@pytest.mark.parametrize("reasons", [("reconnecting",), ("unreachable", "connecting")])
async def test_ten_minutes_without_whatsapp_are_told(
    scene: Scene, reasons: tuple[str, ...]
) -> None:
    for reason in reasons:
        await scene.session(reason)
        await scene.after(MINUTE)

    assert await scene.after((10 - len(reasons)) * MINUTE - 1, step=30) == []
    assert await scene.after(1) == ["alert.begun"]
    await scene.session("online")
    assert await scene.after(0) == ["alert.ended"]


async def test_what_heals_in_time_is_never_told(scene: Scene) -> None:
    for reason in ("reconnecting", "online", "fault", "connecting", "online"):
        await scene.session(reason)
        await scene.after(50)

    assert await scene.after(DAY, step=HOUR) == []


async def test_a_fault_that_does_not_heal_is_told_after_two_minutes(scene: Scene) -> None:
    for _ in range(4):
        await scene.session("fault", detail="the connection ended")
        await scene.after(20)
        await scene.session("connecting")
        await scene.after(20)

    assert scene.receiver.types() == ["alert.begun"]
    assert "(the connection ended)" in scene.receiver.taken[0]["data"]["text"]


async def test_a_heavier_trouble_takes_over_without_an_end_of_the_lighter(scene: Scene) -> None:
    await scene.session("reconnecting")
    await scene.after(11 * MINUTE)
    await scene.session("banned")

    assert await scene.after(MINUTE) == ["alert.begun"]
    assert await told(scene, "kind") == [("offline",), ("banned",)]


NIGHT = datetime(2026, 3, 3, 1, tzinfo=UTC)
QUIET = "22:00-08:00"


async def test_what_can_wait_is_told_in_the_morning(open_scene: OpenScene) -> None:
    async with open_scene(at=NIGHT, quiet_hours=QUIET) as scene:
        await scene.session("phone_asleep", detail="2026-02-20")

        assert await scene.after(7 * HOUR - 1, step=HOUR) == []
        assert await scene.after(1) == ["alert.begun"]


async def test_what_cannot_wait_is_told_at_night_and_its_end_in_the_morning(
    open_scene: OpenScene,
) -> None:
    async with open_scene(at=NIGHT, quiet_hours=QUIET) as scene:
        await scene.session("logged_out")
        assert await scene.after(0) == ["alert.begun"]
        await scene.session("online")

        assert await scene.after(7 * HOUR - 1, step=HOUR) == []
        assert await scene.after(1) == ["alert.ended"]


async def test_the_night_is_where_the_company_is(open_scene: OpenScene) -> None:
    async with open_scene(at=NIGHT, quiet_hours=QUIET) as scene:
        await scene.look.execute(
            "UPDATE companies SET metadata = $2 WHERE id = $1",
            *(scene.company, json.dumps({"time_zone": "America/Caracas", "language": "en"})),
        )
        await scene.session("phone_asleep")

        assert await scene.after(0) == ["alert.begun"]  # It is 21:00 there.
        assert "The phone gives no sign of life" in scene.receiver.taken[0]["data"]["title"]


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ({"language": "es-VE"}, "language: 'es-VE' is neither es nor en"),
        ({"time_zone": "Caracas"}, "time_zone: 'Caracas' is no time zone"),
        ({"language": 5, "time_zone": ["x"]}, "language: '5' is neither es nor en"),
        (["x"], "metadata: is no object"),
    ],
)
async def test_what_somebody_wrote_into_a_company_stops_nobodys_alerts(
    open_scene: OpenScene, caplog: pytest.LogCaptureFixture, metadata: Any, why: str
) -> None:
    async with open_scene(quiet_hours="22:00-08:00") as scene, open_scene() as other:
        await scene.look.execute(
            "UPDATE companies SET metadata = $2 WHERE id = $1", scene.company, json.dumps(metadata)
        )
        for company in (scene, other):
            await company.session("phone_asleep")

        assert await scene.after(20, step=1) == ["alert.begun", "alert.begun"]

    told = {one["company"]["id"]: one["data"]["title"] for one in scene.receiver.taken}
    assert told[str(scene.company)] == told[str(other.company)]
    assert "El teléfono no da señales de vida" in told[str(scene.company)]
    passed_over = [record.__dict__["why"] for record in caplog.records if "wish" in record.msg]
    assert any(why in each for each in passed_over)
    assert len(passed_over) < 5  # As often as somebody is told, not each second.


async def test_a_session_that_is_no_object_stops_no_alert(scene: Scene) -> None:
    await scene.session("logged_out")
    await scene.look.execute(
        "UPDATE companies SET whatsapp_session_data = $2 WHERE id = $1", scene.company, '["x"]'
    )

    assert await scene.after(0) == ["alert.begun"]


async def hand_over(scene: Scene, customer: str = "c", **data: Any) -> None:
    until = (scene.now + timedelta(hours=1)).isoformat()
    words = {"customerId": customer, "phone": "+13055550100", "name": "Ana", "until": until}
    await scene.happens("handover", customer, **words, **data)


async def test_a_customer_who_waits_is_told_once_and_nothing_more_if_its_owner_comes(
    scene: Scene,
) -> None:
    await hand_over(scene, reason="asked_for_a_person")
    assert await scene.after(MINUTE) == ["alert.begun"]
    await scene.happens("handover_over", "c")

    assert await scene.after(2 * HOUR) == []
    assert (
        "Ana (+13055550100) espera que le conteste una persona: lo pidió."
        in (scene.receiver.taken[0]["data"]["text"])
    )


async def test_a_customer_to_whom_nobody_came_is_told_of(scene: Scene) -> None:
    await hand_over(scene)

    assert await scene.after(2 * HOUR) == ["alert.begun", "alert.ended"]
    assert "Nadie contestó a Ana" in scene.receiver.taken[1]["data"]["text"]


async def test_each_customer_who_waits_is_an_incident(scene: Scene) -> None:
    await hand_over(scene, "one")
    await hand_over(scene, "two")
    await hand_over(scene, "two")

    assert await scene.after(MINUTE) == ["alert.begun", "alert.begun"]


async def test_a_product_without_a_link_is_told_once_until_it_has_one(scene: Scene) -> None:
    product = {"id": "p", "name": "Plan"}
    for customer in ("one", "two"):
        await hand_over(scene, customer, reason="no_payment_link", product=product)
    await scene.after(MINUTE)

    kinds = [kind for (kind,) in await told(scene, "kind")]
    assert sorted(kinds) == ["hand_over", "hand_over", "no_payment_link"]
    await scene.happens("payable", "p")
    await scene.happens("handover_over", "one")
    await scene.happens("handover_over", "two")
    assert await scene.after(2 * DAY, step=HOUR) == []


async def test_a_backlog_that_came_too_late_is_one_alert_with_its_number(scene: Scene) -> None:
    for _ in range(30):
        await scene.happens("too_old", customerId="c")
        await scene.after(1)

    assert await scene.after(2 * MINUTE) == ["alert.begun"]
    assert "viejos para contestarlos: 30." in scene.receiver.taken[0]["data"]["text"]
    assert await scene.after(2 * DAY, step=HOUR) == []


async def test_language_models_that_fail_are_told_to_every_company(
    scene: Scene, database: str
) -> None:
    other = await make_company(database)
    scene.models.heard("gpt", "timeout", 1.0, 0)

    await scene.after(3 * MINUTE)

    companies = {one["company"]["id"] for one in scene.receiver.taken}
    assert {str(scene.company), str(other)} <= companies
    assert {kind for (kind,) in await told(scene, "kind")} == {"llm_down"}
    before = len(scene.receiver.taken)
    scene.models.heard("gpt", "answered", 1.0, 10)
    ends = await scene.after(0)
    assert ends == ["alert.ended"] * before


async def test_a_language_model_that_recovers_soon_is_never_told(scene: Scene) -> None:
    scene.models.heard("gpt", "timeout", 1.0, 0)
    await scene.after(MINUTE)
    scene.models.heard("gpt", "answered", 1.0, 10)

    assert await scene.after(HOUR) == []


def own(scene: Scene) -> list[str]:
    """What the receiver took for the scene's company: of the models every company hears."""
    mine = str(scene.company)
    return [one["type"] for one in scene.receiver.taken if one["company"]["id"] == mine]


async def test_language_models_fail_for_as_long_as_it_is_noted_and_until_one_answers(
    scene: Scene,
) -> None:
    scene.models.heard("gpt", "timeout", 1.0, 0)
    await scene.after(HOUR, step=5 * MINUTE)
    lasting = own(scene)
    scene.models.heard("gpt", "answered", 1.0, 10)
    await scene.after(HOUR, step=5 * MINUTE)

    assert (lasting, own(scene)) == (["alert.begun"], ["alert.begun", "alert.ended"])


async def test_language_models_of_a_worker_that_is_gone_fail_no_more_and_nobody_says_they_answer(
    scene: Scene, open_scene: OpenScene
) -> None:
    scene.models.heard("gpt", "timeout", 1.0, 0)
    await scene.after(HOUR, step=5 * MINUTE)

    async with open_scene(company=scene.company, at=scene.now) as other:
        await other.after(14 * MINUTE)
        [before] = await other.rows("ended_at", "incidents")
        await other.after(MINUTE)
        [after] = await other.rows("ended_at", "incidents")
        other.models.heard("gpt", "answered", 1.0, 10)
        await other.after(2 * DAY, step=HOUR)

    assert (before, after) == ((None,), (NOON + timedelta(hours=1, minutes=15),))
    assert own(scene) == ["alert.begun"]


async def test_a_worker_without_calls_does_not_contradict_one_that_is_answered(
    scene: Scene, open_scene: OpenScene
) -> None:
    async with open_scene(company=scene.company) as idle:
        for models in (scene.models, idle.models):
            models.heard("gpt", "timeout", 1.0, 0)
        for worker in (scene, idle, scene):
            await worker.after(3 * MINUTE)
        scene.models.heard("gpt", "answered", 1.0, 10)
        await scene.after(0)
        await idle.after(HOUR, step=5 * MINUTE)
        ended = own(scene)
        idle.models.heard("gpt", "timeout", 1.0, 0)
        await idle.after(3 * MINUTE)

    assert ended == ["alert.begun", "alert.ended"]
    assert own(scene) == [*ended, "alert.begun"]


async def test_a_company_that_is_not_active_is_not_told(scene: Scene) -> None:
    await scene.look.execute("UPDATE companies SET active = false WHERE id = $1", scene.company)
    await scene.session("logged_out")

    assert await scene.after(2 * DAY, step=HOUR) == []


@pytest.mark.parametrize(
    ("kind", "channels"),
    [("session", {"webhook", "email"}), ("handover", {"webhook", "email", "whatsapp"})],
)
async def test_an_alert_goes_by_every_channel_that_can_carry_it(
    open_scene: OpenScene, kind: str, channels: set[str]
) -> None:
    async with open_scene(mail={"host": "mail.test", "sender": "a@b.test"}) as scene:
        await scene.look.execute(
            "UPDATE companies SET whatsapp_session_data = $2 WHERE id = $1",
            *(scene.company, json.dumps({"jid": "584125550100:3@s.whatsapp.net"})),
        )
        await scene.happens(kind, "c", reason="logged_out")
        await scene.alerts.loop._watch.round(scene.now)

        rows = await scene.rows("channel, event_id", "deliveries")

    assert {channel for channel, _ in rows} == channels
    assert len({event for _, event in rows}) == 1


async def test_without_any_channel_it_is_still_an_incident(
    open_scene: OpenScene, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_scene(webhook="") as scene:
        await scene.session("logged_out")
        await scene.after(0)

        [(kind, told_at)] = await scene.rows("kind, told_at", "incidents")

    assert (kind, told_at) == ("logged_out", NOON)
    assert "no channel takes" in caplog.text


async def test_alerts_are_counted(scene: Scene) -> None:
    await scene.session("logged_out")
    await scene.after(0)

    page = scene.metrics.render().decode()
    assert 'lyrox_alerts_total{kind="logged_out",type="alert.begun"} 1.0' in page
    assert 'lyrox_deliveries_total{channel="webhook",outcome="delivered"} 1.0' in page


async def test_an_event_of_a_newer_program_stops_nothing(scene: Scene) -> None:
    await scene.session("abducted")
    await scene.look.execute(
        "INSERT INTO incidents (company_id, kind, began_at, tell_at) VALUES ($1, 'newer', $2, $2)",
        *(scene.company, NOON),
    )
    await scene.session("logged_out")

    assert await scene.after(0) == ["alert.begun"]


def test_every_kind_of_the_promise_is_there() -> None:
    assert {kind.value for kind in Kind} == {
        *("logged_out", "banned", "replaced", "outdated", "passkey", "number_in_use", "fault"),
        *("offline", "phone_asleep", "hand_over", "llm_down", "too_old", "no_payment_link"),
        *("set_aside", "not_taken_in", "disk_low"),
    }


async def test_two_daemons_tell_once(open_scene: OpenScene) -> None:
    async with open_scene() as one, open_scene(company=one.company) as two:
        await one.session("logged_out")

        await asyncio.gather(one.alerts.loop.look(), two.alerts.loop.look())
        for scene in (one, two):
            await scene.settled()
            await scene.after(2)

    assert one.receiver.types() == ["alert.begun"]
