"""From a customer's text to a reply that is sent, recorded and visible, on real stores."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from bot.stores import Urls
from bot.wire import NotSent, Settlement, Unconfirmed, Unsettled
from handlers import load_prompts
from models.errors import GiveUp, RetryLater
from models.values import Reply, Sender, Silence, Stage
from tests.bot.conftest import PrivateValkey
from tests.builders import message
from tests.road.conftest import QUICK, Echo, OpenScene, Scene


async def test_a_greeting_is_answered_and_remembered(open_scene: OpenScene) -> None:
    async with open_scene() as scene:
        await scene.receive(message(scene.company, "hola", name="Ana"))
        (said,) = await scene.arrived(1)

        async def remembered() -> bool:
            return await scene.rows("inbox", "remembered") == [True]

        await scene.until(remembered)
        customer = await scene.look.fetchrow("SELECT * FROM customers")
        assert customer is not None
        lines = await scene.stores.conversations.last(scene.company, customer["id"])

    assert [(line.sender, line.text) for line in lines] == [
        (Sender.CUSTOMER, "hola"),
        (Sender.AGENT, said),
    ]
    assert lines[1].ai is not None
    assert lines[1].ai.model == "offline"
    assert (customer["name"], customer["total_interactions"]) == ("Ana", 1)
    assert await scene.rows("outbox") == ["sent"]
    assert await scene.rows("turns") == ["answered"]
    assert await scene.rows("agent_logs", "event_type") == ["message_sent"]


async def test_an_ordinary_message_costs_five_steps_in_postgresql(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        await scene.receive(message(scene.company, "hola"))
        await scene.arrived(1)
        steps = [name for name in scene.database.called if name.startswith("road_")]

    attach = ["road_lease", "road_unsettled", "road_unsettled", "road_ready"]
    message_steps = ["road_accept", "road_claim", "road_answer", "road_sending", "road_sent"]
    assert steps == attach + message_steps


async def test_the_ratchets_of_the_next_chat_are_read_while_another_has_the_wire(
    open_scene: OpenScene,
) -> None:
    chats = ["13055550101@s.whatsapp.net", "13055550102@s.whatsapp.net"]
    async with open_scene(handlers=[Echo()]) as scene:
        scene.wire.seconds = 1.0
        for chat in chats:
            await scene.receive(message(scene.company, chat=chat, phone=f"+{chat[:11]}"))

        async def both_read() -> bool:
            return sorted(scene.wire.hashed) == chats

        await scene.until(both_read)
        sent = scene.wire.texts()
        await scene.arrived(2)

    assert sent == []


async def test_a_burst_gets_one_answer(open_scene: OpenScene) -> None:
    patient = {**QUICK["conversation"], "quiet_seconds": 0.3, "longest_seconds": 5}
    echo = Echo()
    async with open_scene(handlers=[echo], conversation=patient) as scene:
        for text in ("hola", "una pregunta", "cuánto cuesta?"):
            await scene.receive(message(scene.company, text))
        said = await scene.arrived(1)

    assert said == ["oí: hola\nuna pregunta\ncuánto cuesta?"]


async def test_the_handler_sees_what_was_said_before(open_scene: OpenScene) -> None:
    echo = Echo()
    async with open_scene(handlers=[echo]) as scene:
        for number, text in enumerate(("uno", "dos", "tres"), 1):
            await scene.receive(message(scene.company, text))
            await scene.arrived(number)

    assert [line.text for line in echo.asked[-1].history] == ["uno", "oí: uno", "dos", "oí: dos"]


async def test_history_survives_a_flushed_cache(open_scene: OpenScene) -> None:
    echo = Echo()
    async with open_scene(handlers=[echo]) as scene:
        await scene.receive(message(scene.company, "uno"))
        await scene.arrived(1)
        await scene.stores.redis.pipeline(["FLUSHDB"])
        await scene.receive(message(scene.company, "dos"))
        await scene.arrived(2)

    assert [line.text for line in echo.asked[-1].history] == ["uno", "oí: uno"]


async def test_two_customers_are_answered_side_by_side(open_scene: OpenScene) -> None:
    echo = Echo(seconds=0.3)
    async with open_scene(handlers=[echo]) as scene:
        began = asyncio.get_running_loop().time()
        for number in range(4):
            phone = f"+1305555{number:04}"
            await scene.receive(message(scene.company, "hola", phone=phone, chat=phone))
        await scene.arrived(4)
        took = asyncio.get_running_loop().time() - began

    assert took < 4 * 0.3


async def test_a_message_during_the_answer_joins_it(open_scene: OpenScene) -> None:
    echo = Echo(seconds=0.3)
    async with open_scene(handlers=[echo]) as scene:
        await scene.receive(message(scene.company, "uno"))
        await asyncio.sleep(0.1)
        await scene.receive(message(scene.company, "dos"))
        said = await scene.arrived(1)

    assert said == ["oí: uno\ndos"]


async def test_over_the_limit_one_notice_goes_out_and_the_rest_is_silent(
    open_scene: OpenScene,
) -> None:
    echo = Echo()
    patient = {**QUICK["conversation"], "quiet_seconds": 0.3, "longest_seconds": 5}
    limits = {"messages_per_minute": 3}
    async with open_scene(handlers=[echo], limits=limits, conversation=patient) as scene:
        for number in range(6):
            await scene.receive(message(scene.company, f"m{number}"))
        said = await scene.arrived(2)

    assert len(said) == 2
    assert "oí: m0\nm1\nm2" in said
    assert await scene.rows("inbox") == ["answered"] * 3 + ["silent"] * 3
    assert await scene.rows("outbox", "kind") == ["notice", "reply"]


async def ready_reply(scene: Scene) -> None:
    """A reply that waits for its session, to the customer's first message."""
    scene.wire.connected = False
    await scene.receive(message(scene.company, "uno"))

    async def ready() -> bool:
        return await scene.rows("outbox") == ["ready"]

    await scene.until(ready)


async def test_a_message_over_the_limit_leaves_a_ready_reply_alone(
    open_scene: OpenScene,
) -> None:
    async with open_scene(handlers=[Echo()], limits={"messages_per_minute": 1}) as scene:
        await ready_reply(scene)
        await scene.receive(message(scene.company, "dos"), message(scene.company, "tres"))
        scene.wire.connected = True
        await scene.road.sweeper.sweep(60)
        said = await scene.arrived(2)

    assert said[0] == "oí: uno"
    assert await scene.rows("outbox", "state || kind") == ["sentnotice", "sentreply"]
    assert await scene.rows("inbox", "state || coalesce(reason, '')") == [
        "answered",
        *["silentover the rate limit"] * 2,
    ]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_death_before_the_full_window_is_kept_changes_nothing(
    open_scene: OpenScene, when: str
) -> None:
    async with open_scene(handlers=[Echo()], limits={"messages_per_minute": 1}) as scene:
        lost = scene.database.lost_before if when == "before" else scene.database.lost_after
        lost.append("road_limit")
        scene.wire.connected = False
        last = message(scene.company, "uno")
        with pytest.raises(RetryLater):
            await scene.receive(last)
        await scene.receive(last)  # As the journal gives it again.
        await scene.road.sweeper.sweep(0)

        async def ready() -> bool:
            return await scene.rows("outbox") == ["ready"]

        await scene.until(ready)
        await scene.receive(message(scene.company, "dos"))

        assert await scene.rows("outbox", "state || kind") == ["readynotice", "readyreply"]
        assert await scene.rows("turns", "superseded") == [0]


async def test_a_window_that_redis_has_forgotten_limits_nobody(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo()], limits={"messages_per_minute": 1}) as scene:
        await ready_reply(scene)
        await scene.stores.redis.pipeline(["FLUSHDB"])
        await scene.receive(message(scene.company, "dos"))
        scene.wire.connected = True
        await scene.road.sweeper.sweep(60)

        assert await scene.arrived(1) == ["oí: uno\ndos"]


async def test_with_redis_away_this_process_limits_by_itself(
    open_scene: OpenScene, store_urls: Urls, private_valkey: PrivateValkey
) -> None:
    urls = replace(store_urls, redis=private_valkey.url)
    limits = {"messages_per_minute": 1}
    async with open_scene(handlers=[Echo()], limits=limits, urls=urls) as scene:
        await ready_reply(scene)
        private_valkey.kill()
        await scene.receive(message(scene.company, "dos"), message(scene.company, "tres"))
        scene.wire.connected = True
        await scene.road.sweeper.sweep(60)

        said = await scene.arrived(2)
        notice = load_prompts().say("es").slow_down
        assert sorted(said) == ["oí: uno\ndos", notice]


async def test_a_repeated_message_is_neither_answered_nor_counted_twice(
    open_scene: OpenScene,
) -> None:
    echo = Echo()
    async with open_scene(handlers=[echo], limits={"messages_per_minute": 2}) as scene:
        sent = message(scene.company, "hola")
        await scene.receive(sent, sent, sent)
        await scene.arrived(1)
        await scene.receive(message(scene.company, "otra"))
        said = await scene.arrived(2)

    assert said == ["oí: hola", "oí: otra"]


async def test_what_arrives_too_old_is_kept_and_not_answered(open_scene: OpenScene) -> None:
    echo = Echo()
    async with open_scene(handlers=[echo]) as scene:
        await scene.receive(message(scene.company, stale=True))
        await asyncio.sleep(0.2)

    assert echo.asked == []
    assert await scene.rows("inbox", "reason") == ["too old when it arrived"]


async def test_a_backlog_is_not_held_against_the_customer(open_scene: OpenScene) -> None:
    echo = Echo()
    patient = {**QUICK["conversation"], "quiet_seconds": 0.3, "longest_seconds": 5}
    before = datetime.now(UTC) - timedelta(minutes=10)
    async with open_scene(handlers=[echo], conversation=patient) as scene:
        for number in range(15):
            await scene.receive(
                message(scene.company, f"m{number}", sent_at=before + timedelta(seconds=number))
            )
        said = await scene.arrived(1)

    assert said == ["oí: " + "\n".join(f"m{number}" for number in range(15))]


async def test_when_nothing_answers_one_notice_goes_out_and_the_turn_waits(
    open_scene: OpenScene,
) -> None:
    echo = Echo(failures=[RetryLater("down")])
    async with open_scene(handlers=[echo]) as scene:
        await scene.receive(message(scene.company, "hola"))
        await scene.arrived(1)

        assert await scene.rows("turns") == ["open"]
        assert await scene.rows("outbox", "kind") == ["notice"]
        await scene.look.execute("UPDATE turns SET due_at = now()")
        await scene.road.sweeper.sweep(60)
        said = await scene.arrived(2)

    assert said[1] == "oí: hola"
    assert await scene.rows("inbox") == ["answered"]


async def test_notices_are_in_the_customers_language(open_scene: OpenScene) -> None:
    say = load_prompts().say("en")
    echo = Echo(failures=[RetryLater("down")])
    async with open_scene(handlers=[echo], limits={"messages_per_minute": 1}) as scene:
        await scene.receive(message(scene.company, "hi, how much is it?"))
        await scene.arrived(1)
        await scene.receive(message(scene.company, "are you there?"))

        assert await scene.arrived(2) == [say.answer_shortly, say.slow_down]


async def test_a_turn_nobody_can_answer_is_handed_over_in_the_end(open_scene: OpenScene) -> None:
    echo = Echo(failures=[RetryLater("down")] * 4)
    async with open_scene(handlers=[echo]) as scene:
        await scene.receive(message(scene.company, "hola"))
        await scene.arrived(1)
        for tries in range(2, 5):
            await scene.look.execute("UPDATE turns SET due_at = now()")
            await scene.road.sweeper.sweep(60)

            async def tried(tries: int = tries) -> bool:
                return len(echo.asked) == tries

            await scene.until(tried)
            await asyncio.sleep(0.1)
        await scene.arrived(2)

    assert await scene.rows("customers", "pause_reason") == ["handover"]
    assert await scene.rows("turns") == ["answered"]
    assert "handover_requested" in await scene.rows("agent_logs", "event_type")


async def test_what_can_never_be_answered_is_handed_over_at_once(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo(failures=[GiveUp("refused by all")])]) as scene:
        await scene.receive(message(scene.company, "hola"))
        said = await scene.arrived(1)

    assert "refused" not in said[0]
    assert await scene.rows("customers", "pause_reason") == ["handover"]


async def test_a_fault_of_ours_keeps_the_message(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo(failures=[ValueError("a bug")])]) as scene:
        await scene.receive(message(scene.company, "hola"))
        said = await scene.arrived(1)

    assert "bug" not in said[0]
    assert await scene.rows("turns") == ["open"]


async def test_a_silence_is_recorded_with_its_reason(open_scene: OpenScene) -> None:
    echo = Echo(says=lambda _: Silence("opted out", "persona"))
    async with open_scene(handlers=[echo]) as scene:
        await scene.receive(message(scene.company, "hola"))

        async def silent() -> bool:
            return await scene.rows("inbox", "reason") == ["opted out"]

        await scene.until(silent)

    assert await scene.rows("turns") == ["silent"]


async def test_the_stage_a_reply_names_is_kept(open_scene: OpenScene) -> None:
    echo = Echo(says=lambda _: Reply(("dale",), "persona", stage=Stage.QUALIFIED))
    async with open_scene(handlers=[echo]) as scene:
        await scene.receive(message(scene.company, "quiero empezar"))
        await scene.arrived(1)

    assert await scene.rows("customers", "stage") == ["qualified"]


async def test_a_customer_who_opted_out_gets_one_confirmation_and_then_silence(
    open_scene: OpenScene,
) -> None:
    async with open_scene() as scene:
        await scene.receive(message(scene.company, "baja"))
        await scene.arrived(1)
        await scene.receive(message(scene.company, "cuánto cuesta el plan?"))

        async def closed() -> bool:
            return await scene.rows("inbox") == ["answered", "silent"]

        await scene.until(closed)
        await scene.receive(message(scene.company, "alta"))

        assert len(await scene.arrived(2)) == 2
    assert await scene.rows("customers", "opted_out") == [False]


async def test_the_log_of_a_reply_names_its_prompt(open_scene: OpenScene) -> None:
    said = Reply(("dale",), "persona", event_data={"prompt_hash": "abc", "target": "main"})
    async with open_scene(handlers=[Echo(says=lambda _: said)]) as scene:
        await scene.receive(message(scene.company, "hola"))
        await scene.arrived(1)

        async def logged() -> bool:
            return await scene.rows("agent_logs", "event_data ->> 'prompt_hash'") == ["abc"]

        await scene.until(logged)


async def test_parts_leave_in_order_with_typing_before_each(open_scene: OpenScene) -> None:
    echo = Echo(says=lambda _: Reply(("uno", "dos", "tres"), "persona"))
    pace = {
        **QUICK["conversation"],
        "pace_seconds_per_character": 0.01,
        "pace_longest_seconds": 0.05,
    }
    async with open_scene(handlers=[echo], conversation=pace) as scene:
        await scene.receive(message(scene.company))
        said = await scene.arrived(3)

    assert said == ["uno", "dos", "tres"]
    assert len(scene.wire.typed) == 3


async def test_the_owner_typing_between_parts_stops_the_rest(open_scene: OpenScene) -> None:
    echo = Echo(says=lambda _: Reply(("uno", "dos", "tres"), "persona"))
    async with open_scene(handlers=[echo]) as scene:
        scene.wire.seconds = 0.2
        sent = message(scene.company)
        await scene.receive(sent)
        await scene.arrived(1)
        scene.wire.owner_types(sent.chat)
        await asyncio.sleep(0.5)

    assert scene.wire.texts() in (["uno"], ["uno", "dos"])
    assert "stopped" in await scene.rows("outbox")


async def test_the_owner_typing_during_the_last_look_still_stops_the_part(
    open_scene: OpenScene,
) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        sent, wire = message(scene.company), scene.wire
        scene.database.before["road_sending"] = lambda: wire.owner_types(sent.chat)
        await scene.receive(sent)

        async def stopped() -> bool:
            return await scene.rows("outbox") == ["stopped"]

        await scene.until(stopped)

    assert wire.texts() == []
    assert await scene.rows("turns") == ["silent"]


async def test_the_owner_typing_on_a_parts_last_stretch_stops_it_and_all_after_it(
    open_scene: OpenScene,
) -> None:
    echo = Echo(says=lambda _: Reply(("uno", "dos"), "persona"))
    async with open_scene(handlers=[echo]) as scene:
        scene.wire.queued = 0.2
        sent = message(scene.company)
        await scene.receive(sent)

        async def under_way() -> bool:
            return "sending" in await scene.rows("outbox")

        await scene.until(under_way)
        scene.wire.owner_types(sent.chat)

        async def stopped() -> bool:
            return await scene.rows("outbox") == ["stopped", "stopped"]

        await scene.until(stopped)

    assert scene.wire.texts() == []
    assert await scene.rows("outbox", "DISTINCT reason") == ["paused: owner"]


async def test_a_message_that_was_not_kept_is_not_counted(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo()], limits={"messages_per_minute": 1}) as scene:
        sent = message(scene.company, "hola")
        scene.database.lost_before += ["road_accept"] * 3
        for _ in range(3):
            with pytest.raises(RetryLater):
                await scene.receive(sent)
        await scene.receive(sent)

        assert await scene.arrived(1) == ["oí: hola"]


@pytest.mark.parametrize(
    "step", ["road_claim", "road_answer", "road_sending", "road_sent", "desk_tidy"]
)
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_connection_lost_around_any_step_costs_nothing(
    open_scene: OpenScene, step: str, when: str
) -> None:
    echo = Echo()
    async with open_scene(handlers=[echo]) as scene:
        lost = scene.database.lost_before if when == "before" else scene.database.lost_after
        lost.append(step)
        await scene.receive(message(scene.company, "hola"))

        async def over() -> bool:
            await scene.look.execute("UPDATE turns SET claimed_at = now() - interval '1 minute'")
            with suppress(RetryLater):  # As its own loop does.
                await scene.road.sweeper.sweep(0)
            scene.road.memory.remember_all(await scene.road.desk.unremembered(age_seconds=0))
            return await scene.rows("outbox", "state || kind || remembered::text") == [
                "sentreplytrue"
            ] and await scene.rows("inbox", "state || remembered::text") == ["answeredtrue"]

        await scene.until(over)
        customer = await scene.look.fetchval("SELECT id FROM customers")
        lines = await scene.stores.conversations.last(scene.company, customer)

    assert scene.wire.texts() == ["oí: hola"]
    assert len(echo.asked) == 1
    assert not lost
    assert [line.text for line in lines].count("oí: hola") == 1


async def test_a_part_that_did_not_leave_is_sent_once_later(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        scene.wire.failures.append(NotSent("websocket not connected"))
        await scene.receive(message(scene.company, "hola"))

        async def tried() -> bool:
            return not scene.wire.failures and await scene.rows("outbox") == ["ready"]

        await scene.until(tried)
        await scene.road.sweeper.sweep(60)
        said = await scene.arrived(1)

    assert said == ["oí: hola"]


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_send_that_raised_is_never_said_twice(open_scene: OpenScene, arrives: bool) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        scene.wire.arrives_anyway = arrives
        scene.wire.failures.append(Unconfirmed("timed out"))
        await scene.receive(message(scene.company, "hola"))
        await asyncio.sleep(0.3)
        await scene.road.sweeper.sweep(60)
        said = await scene.arrived(1)

    assert said == ["oí: hola"]
    assert await scene.rows("outbox", "confirmed") == [not arrives]


async def test_a_send_that_nobody_could_settle_is_settled_by_the_sweep(
    open_scene: OpenScene,
) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        settle = scene.wire.settle

        async def away(unsettled: Sequence[Unsettled]) -> list[Settlement]:
            scene.wire.settle = settle  # type: ignore[method-assign]
            raise RetryLater("the session file is locked")

        scene.wire.settle = away  # type: ignore[method-assign]
        scene.wire.failures.append(Unconfirmed("timed out"))
        await scene.receive(message(scene.company, "hola"))
        await asyncio.sleep(0.2)
        assert await scene.rows("outbox") == ["sending"]
        await scene.look.execute("UPDATE outbox SET sending_at = now() - interval '1 minute'")
        await scene.road.sweeper.sweep(60)

        async def settled() -> bool:
            return await scene.rows("outbox") == ["sent"]

        await scene.until(settled)

    assert scene.wire.texts() == ["oí: hola"]


async def test_a_refused_part_fails_its_turn_and_is_on_record(open_scene: OpenScene) -> None:
    echo = Echo(says=lambda _: Reply(("uno", "dos"), "persona"))
    async with open_scene(handlers=[echo]) as scene:
        scene.wire.failures.append(GiveUp("server returned error 463"))
        await scene.receive(message(scene.company, "hola"))

        async def failed() -> bool:
            return await scene.rows("turns") == ["failed"]

        await scene.until(failed)
        await scene.road.sweeper.sweep(60)
        await asyncio.sleep(0.1)

    assert scene.wire.texts() == []
    assert await scene.rows("outbox") == ["failed", "stopped"]
    assert await scene.rows("inbox") == ["silent"]
    assert await scene.rows("agent_logs", "event_type") == ["message_failed"]


async def test_a_reply_that_waited_too_long_is_not_said_any_more(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        scene.wire.connected = False
        await scene.receive(message(scene.company, "hola"))

        async def ready() -> bool:
            return await scene.rows("outbox") == ["ready"]

        await scene.until(ready)
        await scene.look.execute("UPDATE outbox SET created_at = now() - interval '13 hours'")
        scene.wire.connected = True
        await scene.road.sweeper.sweep(60)

        async def stopped() -> bool:
            return await scene.rows("outbox", "reason") == ["too old to be said"]

        await scene.until(stopped)

    assert scene.wire.texts() == []


async def test_a_send_cut_off_by_a_crash_is_settled_before_anything_else_leaves(
    open_scene: OpenScene,
) -> None:
    company, host = None, uuid4()
    async with open_scene(handlers=[Echo()], host=host) as scene:
        company, wire = scene.company, scene.wire
        await scene.receive(message(company, "hola"))
        await scene.arrived(1)
        await scene.look.execute("UPDATE outbox SET state = 'sending'")  # As a kill leaves it.
    async with open_scene(handlers=[Echo()], host=host, company=company, wire=wire) as scene:
        await asyncio.sleep(0.2)

        assert wire.texts() == ["oí: hola"]
        assert await scene.rows("outbox") == ["sent"]
        assert await scene.rows("outbox", "confirmed") == [False]


async def test_a_reply_waits_for_its_session(open_scene: OpenScene) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        scene.wire.connected = False
        await scene.receive(message(scene.company, "hola"))

        async def ready() -> bool:
            return await scene.rows("outbox") == ["ready"]

        await scene.until(ready)
        scene.wire.connected = True
        await scene.road.sweeper.sweep(60)

        assert await scene.arrived(1) == ["oí: hola"]


async def test_no_send_begins_on_a_wire_that_went_away_while_it_was_typed(
    open_scene: OpenScene,
) -> None:
    pace = {
        **QUICK["conversation"],
        "pace_seconds_per_character": 0.1,
        "pace_longest_seconds": 0.2,
    }
    async with open_scene(handlers=[Echo()], conversation=pace) as scene:
        await scene.receive(message(scene.company, "hola"))

        async def typed() -> bool:
            return bool(scene.wire.typed)

        await scene.until(typed)
        scene.wire.connected = False
        await asyncio.sleep(0.4)
        begun = "road_sending" in scene.database.called
        scene.wire.connected = True
        await scene.road.sweeper.sweep(60)

        assert await scene.arrived(1) == ["oí: hola"]
    assert not begun


async def test_a_message_nobody_rang_for_is_found_by_the_sweep(open_scene: OpenScene) -> None:
    async def lost(*_: object) -> None:
        """A doorbell whose jobs vanish."""

    async with open_scene(handlers=[Echo()], ring=lost) as scene:
        await scene.receive(message(scene.company, "hola"))
        await asyncio.sleep(0.1)
        assert scene.wire.texts() == []
    async with open_scene(handlers=[Echo()], company=scene.company) as scene:
        await scene.road.sweeper.sweep(0)

        assert await scene.arrived(1) == ["oí: hola"]


async def test_what_was_written_during_a_reply_is_answered_after_it(
    open_scene: OpenScene,
) -> None:
    async with open_scene(handlers=[Echo()]) as scene:
        scene.wire.seconds = 0.3
        await scene.receive(message(scene.company, "uno"))

        async def leaving() -> bool:
            return await scene.rows("outbox") == ["sending"]

        await scene.until(leaving)
        await scene.receive(message(scene.company, "dos"))

        assert await scene.arrived(2) == ["oí: uno", "oí: dos"]


@pytest.mark.parametrize(
    "text",
    ["a\x00b", "\ud83d", "😀" * 3, "\u200f\u202eשלום", "x" * 65536, "   "],
    ids=["nul", "surrogate", "emoji", "right-to-left", "64 KB", "blank"],
)
async def test_strange_text_is_kept_and_answered(open_scene: OpenScene, text: str) -> None:
    async with open_scene() as scene:
        await scene.receive(message(scene.company, text))

        async def closed() -> bool:
            return await scene.rows("inbox") in (["answered"], ["silent"])

        await scene.until(closed)

    assert await scene.rows("turns") in (["answered"], ["silent"])


async def test_what_is_written_while_no_model_answers_uses_up_none_of_its_tries(
    open_scene: OpenScene,
) -> None:
    echo = Echo(failures=[RetryLater("no model answers")] * 12)
    async with open_scene(handlers=[echo], llm={"retry_minutes": [5.0]}) as scene:
        for number in range(1, 11):
            await scene.receive(message(scene.company, f"{number}"))

            async def deferred(count: int = number) -> bool:
                return await scene.rows("turns", "details ->> 'deferred'") == [f"{count}"]

            await scene.until(deferred)
        (notice,) = await scene.arrived(1)
        waits = await scene.look.fetchrow("SELECT state, tries, due_at - now() AS rest FROM turns")
        await scene.look.execute("UPDATE turns SET due_at = now() - interval '1 second'")
        await scene.road.sweeper.sweep(60)  # Now it was due, and that was its last try.

        assert len(await scene.arrived(2)) == 2

    assert waits is not None
    assert (waits["state"], waits["tries"]) == ("open", 1)
    assert timedelta(minutes=4) < waits["rest"] < timedelta(minutes=5)
    assert len(echo.asked) == 11
    assert await scene.rows("outbox", "kind") == ["notice", "reply"]
    assert notice != scene.wire.texts()[1]


async def test_a_bell_that_rings_again_does_not_ask_a_model_that_is_away(
    open_scene: OpenScene,
) -> None:
    echo = Echo(failures=[RetryLater("no model answers")])
    async with open_scene(handlers=[echo]) as scene:
        await scene.receive(message(scene.company, "hola"))
        await scene.arrived(1)  # The notice.
        (customer,) = await scene.rows("customers", "id")
        claims = scene.database.called.count("road_claim")

        scene.road.lanes.ring_now((scene.company, customer), "again")

        async def looked() -> bool:
            more = scene.database.called.count("road_claim") > claims
            return more and not scene.road.slots.running

        await scene.until(looked)

    assert len(echo.asked) == 1
