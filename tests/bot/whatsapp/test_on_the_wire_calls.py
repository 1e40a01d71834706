"""Calls through the real client: each becomes one message, and none ends its event loop."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from bot.whatsapp.callbacks import SUBSCRIBED
from bot.whatsapp.events import CALL_ACCEPT, CALL_OFFER, CALL_TERMINATE, TAKEN, Ignored
from models.values import InboundMessage, Kind
from tests.bot.whatsapp.scene import LID, PHONE, Scene, on_stage
from tests.whatsapp_server import contents, signs
from tests.whatsapp_server.nodes import Jid, Node, Value

pytestmark = pytest.mark.whatsapp

GROUP = Jid("120363000000000001", "g.us")


@pytest.fixture(scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """The client hears what the daemon's hears, no more."""
    async with on_stage(tmp_path_factory.mktemp("scene"), *SUBSCRIBED) as scene:
        yield scene


async def called(scene: Scene, *offers: Node) -> list[InboundMessage | Ignored]:
    """What the daemon makes of each."""
    reads = []
    for offer in offers:
        after = len(scene.client.hosted.said)
        await scene.deliver(offer)
        raw = await scene.client.event(CALL_OFFER, after=after)
        reads.append(scene.reader().read_call(raw, seq=1, now=datetime.now(UTC)))
    return reads


async def ended(scene: Scene, code: int, end: Node) -> InboundMessage | Ignored:
    """What the daemon makes of the end of a call."""
    after = len(scene.client.hosted.said)
    await scene.deliver(end)
    raw = await scene.client.event(code, after=after)
    return scene.reader().read_call_end(raw, code=code, seq=1, now=datetime.now(UTC))


async def test_a_call_is_a_message_without_words_from_who_calls(scene: Scene) -> None:
    (read,) = await called(scene, signs.call(scene.ana, "CALL1", video=True))

    assert isinstance(read, InboundMessage)
    assert (read.kind, read.text, read.wa_id) == (Kind.CALL, "", "call:CALL1")
    assert (read.phone, read.lid, read.chat) == (f"+{PHONE}", LID, f"{LID}@lid")
    assert abs(read.sent_at.timestamp() - time.time()) < 60
    assert not read.stale


async def test_who_hides_their_number_is_the_caller_by_the_lid(scene: Scene) -> None:
    eva = scene.server.add_customer(None, "333", "Eva")

    (read,) = await called(scene, signs.call(eva, "CALL2"))

    assert isinstance(read, InboundMessage)
    assert (read.phone, read.chat) == ("lid:333", "333@lid")


async def test_offers_of_one_call_have_one_id(scene: Scene) -> None:
    offers = [signs.call(scene.ana, "CALL3") for _ in range(3)]

    reads = await called(scene, *offers)

    assert {read.wa_id for read in reads if isinstance(read, InboundMessage)} == {"call:CALL3"}


@pytest.mark.parametrize(
    ("reason", "taken"),
    [(TAKEN, True), ("rejected_elsewhere", False), ("timeout", False), ("", False)],
)
async def test_the_end_of_a_call_says_whether_another_device_has_taken_it(
    scene: Scene, reason: str, taken: bool
) -> None:
    read = await ended(scene, CALL_TERMINATE, signs.hang_up(scene.ana, "CALL4", reason))

    assert isinstance(read, InboundMessage)
    assert (read.kind, read.target, read.facts) == (Kind.HANG_UP, "call:CALL4", {"taken": taken})


async def test_a_call_that_is_accepted_is_taken(scene: Scene) -> None:
    read = await ended(scene, CALL_ACCEPT, signs.pick_up(scene.ana, "CALL5"))

    assert isinstance(read, InboundMessage)
    assert (read.target, read.facts) == ("call:CALL5", {"taken": True})


async def test_no_end_of_a_call_ends_the_clients_event_loop(scene: Scene) -> None:
    creator = scene.ana.lid_jid
    strange = [
        Node("terminate"),
        Node("terminate", {"call-id": "", "call-creator": creator, "reason": ""}),
        Node("terminate", {"call-id": "X" * 5_000, "call-creator": creator, "reason": "neu"}),
        Node("terminate", {"call-id": "C5", "call-creator": GROUP, "group-jid": GROUP}),
        Node("terminate", {"call-id": "C6", "call-creator": creator}, b"\x00\xff" * 900),
        Node("accept"),
        Node("accept", {"call-id": "C7", "call-creator": creator}, [Node("neu")] * 50),
        Node("accept", {"call-id": "C8", "reason": "9", "t": "yesterday"}, b"\xff"),
    ]
    outer: dict[str, Value] = {"from": creator, "t": str(int(time.time()))}
    after = len(scene.client.hosted.said)
    for number, child in enumerate(strange):
        await scene.deliver(Node("call", {**outer, "id": f"E{number}"}, [child]))
    for number in range(200):
        await scene.deliver(signs.hang_up(scene.ana, f"MANY{number}"))
    await scene.write(contents.text("¿sigues ahí?"), "3AE2")
    read = await scene.read("3AE2")

    assert isinstance(read, InboundMessage)
    await scene.eventually(lambda: not scene.owner.unreceipted)
    first = await scene.client.event(CALL_TERMINATE, after=after)
    assert scene.reader().read_call_end(
        first, code=CALL_TERMINATE, seq=1, now=datetime.now(UTC)
    ) == Ignored("no_call")


async def test_no_offer_ends_the_clients_event_loop(scene: Scene) -> None:
    strange = [
        Node("offer"),
        Node("offer", {"call-id": "", "call-creator": scene.ana.lid_jid}),
        Node("offer", {"call-id": "X" * 5_000, "call-creator": scene.ana.lid_jid, "new": "9"}),
        Node("offer", {"call-id": "C5", "call-creator": GROUP, "group-jid": GROUP}),
        Node("offer", {"call-id": "C6", "call-creator": scene.ana.lid_jid}, b"\x00\xff" * 900),
        Node("offer", {"call-id": "C7", "call-creator": scene.ana.lid_jid}, [Node("neu")] * 50),
        Node("offer_notice", {"call-id": "C8", "call-creator": scene.ana.lid_jid}),
        Node("something-new", {"call-id": "C9"}),
    ]
    outer: dict[str, Value] = {"from": scene.ana.lid_jid, "t": str(int(time.time()))}
    for number, child in enumerate(strange):
        await scene.deliver(Node("call", {**outer, "id": f"S{number}"}, [child]))
    await scene.deliver(Node("call", {**outer, "id": "S90"}, []))
    for number in range(200):
        await scene.deliver(signs.call(scene.ana, f"MANY{number}"))
    await scene.deliver(signs.hang_up(scene.ana, "MANY0"))
    await scene.write(contents.text("¿me oyes?"), "3AE1")
    read = await scene.read("3AE1")

    assert isinstance(read, InboundMessage)
    assert read.text == "¿me oyes?"
    await scene.eventually(lambda: not scene.owner.unreceipted)


async def test_a_call_of_a_group_is_left_alone(scene: Scene) -> None:
    outer: dict[str, Value] = {"from": GROUP, "id": "G1", "t": str(int(time.time()))}
    offer = Node("offer", {"call-id": "G1", "call-creator": scene.ana.lid_jid})

    assert await called(scene, Node("call", outer, [offer])) == [Ignored("no_person")]
