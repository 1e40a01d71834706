"""What the client says during a pairing, and the messages that come before anybody hosts it."""

import os
import threading
from pathlib import Path

import pytest

from bot.whatsapp.callbacks import CONNECTED, PAIR_STATUS
from bot.whatsapp.events import MESSAGE
from bot.whatsapp.journal import MOST_BYTES, Journal
from bot.whatsapp.library import Protos
from bot.whatsapp.pairing_watch import LIFE, PairingFailed, Post, Watch
from tests.bot.whatsapp.conftest import MakeEvent


class Scene:
    def __init__(self, protos: Protos) -> None:
        self.codes: list[tuple[str, float]] = []
        self.post = Post()
        self.watch = Watch(protos, lambda *code: self.codes.append(code), self.post)

    def says(self, *calls: tuple[str, object]) -> None:
        """The client speaks on a thread of its own."""

        def speak() -> None:
            for name, words in calls:
                arguments = words if isinstance(words, tuple) else (words,)
                getattr(self.watch, name)(*arguments)

        thread = threading.Thread(target=speak)
        thread.start()
        thread.join()


@pytest.fixture
async def scene(protos: Protos) -> Scene:
    return Scene(protos)


def status(protos: Protos, number: str, *, success: bool = True) -> bytes:
    event = protos.events.PairStatus()
    event.Status = event.SUCCESS if success else event.ERROR
    event.BusinessName, event.Platform, event.Error = "", "android", "" if success else "no luck"
    for name, value in (("User", number), ("Server", "s.whatsapp.net")):
        setattr(event.ID, name, value)
    event.ID.Device, event.ID.RawAgent, event.ID.Integrator, event.ID.IsEmpty = 1, 0, 0, False
    return bytes(event.SerializeToString())


def journalled(folder: Path) -> list[bytes]:
    return [entry.raw for entry in Journal(folder).entries()]


async def test_the_first_code_lives_longer_and_all_of_them_as_long_as_the_client_waits(
    scene: Scene,
) -> None:
    scene.says(*[("on_code", f"code {number}") for number in range(6)])
    await scene.watch.shown

    assert [life for _, life in scene.codes] == [60.0, *[20.0] * 5]
    assert sum(life for _, life in scene.codes) == LIFE


async def test_a_scan_tells_the_number(scene: Scene, protos: Protos) -> None:
    scene.says(
        ("on_event", (PAIR_STATUS, status(protos, "5215512345678"))), ("on_event", (CONNECTED, b""))
    )

    assert await scene.watch.scanned == "+5215512345678"
    await scene.watch.connected


@pytest.mark.parametrize(
    ("call", "words", "reason"),
    [
        ("on_login", "timeout", "expired"),
        ("on_login", "passkey-request", "passkey_asked"),
        ("on_login", "something new", "refused"),
        ("on_end", "failed to dial whatsapp", "unreachable"),
        ("on_end", "something else", "fault"),
    ],
)
async def test_an_end_without_a_phone_has_a_reason(
    scene: Scene, call: str, words: str, reason: str
) -> None:
    scene.says((call, words), ("on_login", "error"))

    for waiting in (scene.watch.shown, scene.watch.scanned):
        with pytest.raises(PairingFailed) as failed:
            await waiting
        assert failed.value.reason == reason


async def test_a_phone_that_refuses_is_told_with_its_own_words(
    scene: Scene, protos: Protos
) -> None:
    scene.says(("on_event", (PAIR_STATUS, status(protos, "5215512345678", success=False))))

    with pytest.raises(PairingFailed) as failed:
        await scene.watch.scanned
    assert (failed.value.reason, failed.value.detail) == ("refused", "no luck")


async def test_messages_are_kept_in_order_once_the_phone_is_the_companys(
    scene: Scene, make_event: MakeEvent, tmp_path: Path
) -> None:
    messages = [make_event(f"hola {number}") for number in range(4)]
    scene.says(*[("on_event", (MESSAGE, raw)) for raw in messages[:2]])
    assert not (tmp_path / "journal").exists()

    scene.post.keep(tmp_path / "journal")
    scene.says(*[("on_event", (MESSAGE, raw)) for raw in messages[2:]])

    assert journalled(tmp_path / "journal") == messages


async def test_messages_to_a_phone_that_is_refused_never_touch_the_disk(
    scene: Scene, make_event: MakeEvent, tmp_path: Path
) -> None:
    scene.says(("on_event", (MESSAGE, make_event("para otra empresa"))))

    assert not any(tmp_path.iterdir())  # noqa: ASYNC240 - A test may look.


def test_the_first_messages_find_room_in_a_journal_that_is_full(tmp_path: Path) -> None:
    left = Journal(tmp_path)
    left.append(MESSAGE, b"left")
    left.close()
    (file,) = tmp_path.glob("*.journal")
    os.truncate(file, MOST_BYTES)  # As if there were much more in it.
    post = Post()

    post.take(b"early")
    post.keep(tmp_path)
    post.take(b"later")

    assert journalled(tmp_path) == [b"left", b"early", b"later"]
