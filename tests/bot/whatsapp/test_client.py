"""What the adapter asks of the client, and what it never asks; the C functions are a fake."""

import asyncio
import ctypes
import gc
import threading
import weakref
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from bot.whatsapp.callbacks import SUBSCRIBED
from bot.whatsapp.client import Client
from bot.whatsapp.gate import Gate
from bot.whatsapp.library import Library, Protos
from bot.wire import NotSent, TakenOver, Unconfirmed
from models.errors import GiveUp
from models.values import Quote
from tests.fakes.client_code import FakeCode, Life

CHAT = "999888777666555@lid"
SECRET = b"s" * 32


class Heard:
    """An observer that keeps what it hears, and fails when told to."""

    def __init__(self) -> None:
        self.events: list[tuple[int, bytes]] = []
        self.words: list[str] = []
        self.fails = False
        self.ended = threading.Event()

    def on_event(self, code: int, raw: bytes) -> None:
        self.events.append((code, raw))
        if self.fails:
            raise SystemExit("the observer fails")

    def on_code(self, code: str, /) -> None:
        self.words.append(f"code {code}")

    def on_login(self, status: str, /) -> None:
        self.words.append(f"login {status}")

    def on_end(self, error: str) -> None:
        self.words.append(f"end {error}".strip())
        self.ended.set()


class Stage:
    """One client on a fake library, and everything around it."""

    def __init__(self, protos: Protos, folder: Path, *, registers: bool = True) -> None:
        self.code = FakeCode(protos, registers=registers)
        self.library: Library = self.code.library()
        self.gate = Gate(entry_seconds=0.01)
        self.company = uuid4()
        self.heard = Heard()
        self.session = folder / "a session.sqlite"

    def client(self) -> Client:
        return Client(
            self.library,
            self.gate,
            company_id=self.company,
            session=self.session,
            device_name="LYROX",
            observer=self.heard,
        )

    @property
    def life(self) -> Life:
        return self.code.lives[str(self.company).encode()]

    def answers(self, error: str) -> None:
        self.code.answer.Error = error


@pytest.fixture
async def stage(protos: Protos, tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage(protos, tmp_path)
    yield stage
    for life in stage.code.past:
        life.end()
    stage.gate.close()
    assert stage.code.fatal == []


async def test_a_start_names_the_company_one_file_and_never_a_number(stage: Stage) -> None:
    client = stage.client()

    await client.start()
    life = stage.life
    await client.stop(quiet=0.01)

    path, _, tuning = life.store.partition("?")
    assert path == str(stage.session).replace(" ", "%20")
    assert "_journal_mode=WAL" in tuning
    assert "_foreign_keys=on" in tuning
    assert tuning.endswith("z=1")  # Swallows what the client appends.
    assert (life.jid, life.new_device) == (b"", 0)
    assert b"LYROX" in life.props


async def test_few_events_are_subscribed_and_no_receipts_or_history_among_them(
    stage: Stage,
) -> None:
    client = stage.client()

    await client.start()
    subscribed = stage.life.subscribed
    await client.stop(quiet=0.01)

    assert subscribed == SUBSCRIBED == (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 17, 27, 36, 37, 42)


async def test_an_event_is_copied_and_no_error_of_ours_goes_back_into_the_client(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    client = stage.client()
    await client.start()
    life = stage.life

    stage.heard.fails = True
    buffer = life.event(17, b"message")
    buffer.raw = b"garbage"
    stage.heard.fails = False
    life.event(3)
    life.text(life.on_code, "https://wa.me/x")
    life.text(life.on_login, "timeout")
    await client.stop(quiet=0.01)

    assert stage.heard.events == [(0, b""), (17, b"message"), (3, b"")]
    assert stage.heard.words == ["code https://wa.me/x", "login timeout", "end"]
    assert "a WhatsApp callback failed" in caplog.messages


async def test_a_text_goes_out_as_a_plain_conversation_under_its_secret(stage: Stage) -> None:
    client = stage.client()
    await client.start()

    wa_id = await client.send(CHAT, "98 USD https://example.org @5215512345678", SECRET)
    await client.stop(quiet=0.01)

    ((to, message),) = stage.code.sent
    assert wa_id == "3EB0"
    assert (to.User, to.Server, to.Device) == ("999888777666555", "lid", 0)
    assert message.conversation == "98 USD https://example.org @5215512345678"
    assert message.messageContextInfo.messageSecret == SECRET
    assert [field.name for field, _ in message.ListFields()] == [
        "conversation",
        "messageContextInfo",
    ]


async def test_a_reply_shows_what_it_answers(stage: Stage) -> None:
    client = stage.client()
    await client.start()

    await client.send(CHAT, "98 USD", SECRET, quote=Quote("3AFF01", "¿precio?"))
    await client.stop(quiet=0.01)

    ((_, message),) = stage.code.sent
    context = message.extendedTextMessage.contextInfo
    assert message.extendedTextMessage.text == "98 USD"
    assert (context.stanzaID, context.participant) == ("3AFF01", CHAT)
    assert context.quotedMessage.conversation == "¿precio?"
    assert message.messageContextInfo.messageSecret == SECRET


async def test_messages_are_marked_as_read_in_one_call(stage: Stage) -> None:
    client = stage.client()
    await client.start()

    await client.mark_read(CHAT, ["3A1", "3A2"])
    await client.stop(quiet=0.01)

    user = CHAT.partition("@")[0]
    assert stage.code.read == [("3A1 3A2", user, user, b"read")]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("failed to send message node: websocket not connected", NotSent),
        ("the client is nil", NotSent),
        ("server returned error 463", GiveUp),
        ("server returned error 479", GiveUp),
        ("no LID found for 52155@s.whatsapp.net from server", GiveUp),
        ("timed out waiting for message send response", Unconfirmed),
        ("something nobody has seen yet", Unconfirmed),
    ],
)
async def test_a_failed_send_says_whether_it_may_have_left(
    stage: Stage, error: str, kind: type[Exception]
) -> None:
    client = stage.client()
    await client.start()
    stage.answers(error)

    with pytest.raises(kind):
        await client.send(CHAT, "hola", SECRET)
    await client.stop(quiet=0.01)


async def test_a_send_without_an_end_is_unconfirmed_and_its_late_end_harms_nobody(
    stage: Stage,
) -> None:
    client = stage.client()
    await client.start()
    answer = threading.Event()
    stage.code.holds = {"SendMessage": answer}

    with pytest.raises(Unconfirmed):
        await client.send(CHAT, "hola", SECRET, limit=0.1)
    stage.answers("timed out waiting for message send response")
    answer.set()
    await client.stop(quiet=0.01)


async def test_a_text_that_waited_for_its_turn_stays_when_the_owner_wrote_meanwhile(
    stage: Stage,
) -> None:
    client, starting, wrote = stage.client(), threading.Event(), threading.Event()

    def must_be_free() -> None:
        if wrote.is_set():
            raise TakenOver("the owner wrote in the chat")

    await client.start()
    other = asyncio.ensure_future(stage.gate.alone(lambda: None, starting, limit=5))
    await asyncio.sleep(0.05)
    sending = asyncio.ensure_future(client.send(CHAT, "hola", SECRET, ready=must_be_free))
    await asyncio.sleep(0.05)
    wrote.set()
    starting.set()

    with pytest.raises(TakenOver):
        await sending
    await other
    await client.stop(quiet=0.01)
    assert stage.code.sent == []


async def test_sends_take_turns_and_each_looks_again_when_its_own_has_come(stage: Stage) -> None:
    client, answer, order = stage.client(), threading.Event(), []
    await client.start()
    stage.code.holds = {"SendMessage": answer}
    first = asyncio.ensure_future(client.send(CHAT, "uno", SECRET))
    async with asyncio.timeout(5):
        while "SendMessage" not in stage.code.calls:  # noqa: ASYNC110 - Another thread's doing.
            await asyncio.sleep(0.01)

    def look(word: str) -> None:
        order.append((word, [said.conversation for _, said in stage.code.sent]))

    second = asyncio.ensure_future(
        client.send(CHAT, "dos", SECRET, first=partial(look, "first"), ready=partial(look, "ready"))
    )
    await asyncio.sleep(0.1)
    assert order == []
    answer.set()
    await asyncio.gather(first, second)
    await client.stop(quiet=0.01)

    assert order == [("first", ["uno"]), ("ready", ["uno"])]
    assert [said.conversation for _, said in stage.code.sent] == ["uno", "dos"]


async def test_a_turn_that_comes_to_nothing_is_the_next_ones(stage: Stage) -> None:
    client = stage.client()
    await client.start()

    def refuse() -> None:
        raise NotSent("taken back")

    with pytest.raises(NotSent):
        await client.send(CHAT, "uno", SECRET, first=refuse)
    await client.send(CHAT, "dos", SECRET)
    await client.stop(quiet=0.01)

    assert [said.conversation for _, said in stage.code.sent] == ["dos"]


async def test_nothing_is_asked_before_the_client_knows_the_company_nor_after_its_stop(
    protos: Protos, tmp_path: Path
) -> None:
    stage = Stage(protos, tmp_path, registers=False)
    client = stage.client()

    starting = asyncio.ensure_future(client.start())
    await asyncio.to_thread(stage.code.begun.wait, 5)
    stage.life.text(stage.life.on_code, "https://wa.me/x")  # Placed, but not registered.
    await starting
    for ask in (client.send(CHAT, "hola", SECRET), client.typing(CHAT, True), client.log_out()):
        with pytest.raises(NotSent):
            await ask
    await client.stop(quiet=0.01)
    with pytest.raises(NotSent):
        await client.send(CHAT, "hola", SECRET)
    stage.gate.close()

    assert stage.code.calls == ["Neonize", "Stop"]
    assert stage.code.fatal == []


async def test_a_stop_disconnects_waits_until_all_is_quiet_and_only_then_stops(
    stage: Stage,
) -> None:
    client = stage.client()
    await client.start()
    life = stage.life
    heard_when_stopped: list[int] = []

    async def backlog() -> None:
        for _ in range(10):  # What the client still holds comes one by one.
            await asyncio.sleep(0.01)
            await asyncio.to_thread(life.event, 17, b"late")
        heard_when_stopped.append(stage.code.calls.count("Stop"))

    await asyncio.gather(client.stop(quiet=0.05), backlog())

    assert stage.code.calls == ["Neonize", "Disconnect", "Stop"]
    assert heard_when_stopped == [0]
    assert stage.heard.events.count((17, b"late")) == 10
    assert stage.heard.words == ["end"]


async def test_a_client_that_never_falls_quiet_is_stopped_all_the_same(stage: Stage) -> None:
    client = stage.client()
    await client.start()
    life, over = stage.life, asyncio.Event()

    async def flood() -> None:
        while not over.is_set():
            life.event(4)
            await asyncio.sleep(0.01)

    flooding = asyncio.ensure_future(flood())
    began = asyncio.get_running_loop().time()
    await client.stop(quiet=0.1, longest=0.3)
    over.set()
    await flooding

    assert 0.3 <= asyncio.get_running_loop().time() - began < 1.5


async def test_many_stop_together_in_the_time_of_one(protos: Protos, tmp_path: Path) -> None:
    stages = [Stage(protos, tmp_path) for _ in range(30)]
    code, gate = stages[0].code, stages[0].gate
    for stage in stages:
        stage.code, stage.library, stage.gate = code, stages[0].library, gate
    clients = [stage.client() for stage in stages]
    for client in clients:
        await client.start()

    began = asyncio.get_running_loop().time()
    await asyncio.gather(*(client.stop(quiet=0.15) for client in clients))
    took = asyncio.get_running_loop().time() - began
    gate.close()

    assert took < 1.5  # One after the other it would be nine seconds.
    assert code.fatal == []
    assert code.lives == {}


async def test_companies_whose_sends_hang_leave_threads_for_the_others(
    protos: Protos, tmp_path: Path
) -> None:
    stages = [Stage(protos, tmp_path) for _ in range(41)]
    code, gate = stages[0].code, stages[0].gate
    for stage in stages:
        stage.code, stage.library, stage.gate = code, stages[0].library, gate
    clients = [stage.client() for stage in stages]
    for client in clients:
        await client.start()
    answer = threading.Event()
    code.holds = {"SendMessage": answer}

    hanging = [asyncio.ensure_future(one.send(CHAT, "hola", SECRET)) for one in clients[:40]]
    await asyncio.sleep(0.1)
    await asyncio.wait_for(clients[40].typing(CHAT, True), 2)
    answer.set()
    await asyncio.gather(*hanging)
    await asyncio.gather(*(client.stop(quiet=0.01) for client in clients))
    gate.close()

    assert code.fatal == []


async def test_a_start_that_was_called_off_while_it_waited_leaves_nothing_to_wait_for(
    stage: Stage,
) -> None:
    free = threading.Event()
    busy = asyncio.ensure_future(stage.gate.alone(lambda: None, free, limit=5))
    await asyncio.sleep(0.02)
    client = stage.client()
    starting = asyncio.ensure_future(client.start())
    await asyncio.sleep(0.02)

    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    free.set()
    await busy
    began = asyncio.get_running_loop().time()
    await client.stop()

    assert stage.code.calls == ["Stop"]
    assert asyncio.get_running_loop().time() - began < 0.5


async def test_the_end_of_the_clients_thread_is_told_with_its_error(stage: Stage) -> None:
    client = stage.client()
    await client.start()

    stage.life.end("proto: required field TemporaryBan.Code not set")
    await asyncio.to_thread(stage.heard.ended.wait, 5)
    await client.stop(quiet=0.01)

    assert stage.heard.words == ["end proto: required field TemporaryBan.Code not set"]
    assert stage.code.calls == ["Neonize", "Disconnect", "Stop"]


async def test_what_the_client_may_still_call_is_kept_but_its_observer_is_not(
    stage: Stage, protos: Protos, caplog: pytest.LogCaptureFixture
) -> None:
    client = stage.client()
    await client.start()
    life = stage.life
    heard = weakref.ref(stage.heard)

    await client.stop(quiet=0.01)
    callback = weakref.ref(life.on_log)
    del client
    stage.code.past.clear()
    stage.heard = Heard()
    entry = protos.events.LogEntry(Message="late", Name="Client", Level="WARN")
    late, size = entry.SerializeToString(), entry.ByteSize()
    buffer = ctypes.create_string_buffer(late, size)
    life.on_log(ctypes.addressof(buffer), size)
    del life
    gc.collect()

    assert "whatsmeow: late" in caplog.messages
    assert callback() is not None
    assert heard() is None


async def test_a_log_out_unlinks_the_device_and_says_when_it_could_not(stage: Stage) -> None:
    client = stage.client()
    await client.start()

    await client.log_out()
    stage.code.logout_error = b"error sending logout request: websocket not connected"
    with pytest.raises(NotSent, match="logout request"):
        await client.log_out()
    await client.stop(quiet=0.01)

    assert stage.code.calls == ["Neonize", "Logout", "Logout", "Disconnect", "Stop"]
