"""The real daemon and the real client: every kind of message, and what is done to messages."""

import asyncio
import os
from pathlib import Path

import pytest

from bot.whatsapp.contents import RAW_BYTES
from bot.whatsapp.events import TAKEN
from handlers import load_prompts
from tests.system.shop import Shop, opened
from tests.whatsapp_server import changes, contents, signs

__all__ = ["opened"]

pytestmark = pytest.mark.whatsapp

SAY = load_prompts().phrases


@pytest.fixture
async def shop(opened: Shop) -> Shop:
    return opened


async def rows(shop: Shop, number: str | None, column: str) -> list[str]:
    query = f"SELECT {column} FROM inbox i JOIN customers c ON c.id = i.customer_id"  # noqa: S608
    found = await shop.look.fetch(f"{query} WHERE c.phone = $1 ORDER BY i.id", f"+{number}")
    return [row[0] for row in found]


def key(shop: Shop, wa_id: str) -> contents.Words:
    """A message of the customer's own, as they refer to it."""
    return contents.key(wa_id, f"{shop.owner.lid}@lid", own=True)


async def test_an_edit_before_the_answer_is_what_is_answered(shop: Shop) -> None:
    ana = shop.customer()
    await shop.says(ana, contents.text("hola"), "3AX001")
    await shop.says(ana, changes.edit(key(shop, "3AX001"), contents.text("productos")), "3AX002")

    heard = await shop.hears(ana)

    assert "Plan Personalizado" in heard.text
    assert await rows(shop, ana.number, "content") == ["productos", "productos"]


async def test_a_revoke_before_the_answer_leaves_silence(shop: Shop) -> None:
    ana = shop.customer()
    await shop.says(ana, contents.text("hola"), "3AX003")
    await shop.says(ana, changes.revoke(key(shop, "3AX003")), "3AX004")
    await shop.until(ana, 2)
    await asyncio.sleep(4)

    assert ana.inbox.empty()
    assert await rows(shop, ana.number, "i.reason") == [
        "taken back by the customer",
        "changes another message",
    ]


async def test_after_the_answer_a_change_is_only_recorded(shop: Shop) -> None:
    ana = shop.customer()
    await shop.says(ana, contents.text("hola"), "3AX005")
    await shop.hears(ana)
    await shop.says(ana, changes.edit(key(shop, "3AX005"), contents.text("precio")), "3AX006")
    await shop.says(ana, changes.revoke(key(shop, "3AX005")), "3AX007")
    await shop.until(ana, 3)
    await asyncio.sleep(4)

    assert ana.inbox.empty()
    assert (await rows(shop, ana.number, "content"))[0] == "hola"


async def test_an_album_gets_one_kind_sentence(shop: Shop) -> None:
    ana = shop.customer()
    file = shop.server.media.store(b"\xff\xd8\xff" + os.urandom(500))
    for number in range(5):
        await shop.says(ana, contents.image(media=file.reference()), f"3AY{number}")
        await asyncio.sleep(1.2)  # One by one, as they are uploaded.

    assert (await shop.hears(ana)).text == SAY.not_text
    await asyncio.sleep(3)
    assert ana.inbox.empty()
    paths = await rows(shop, ana.number, "i.details -> 'media' ->> 'path'")
    assert paths == [file.path] * 5


async def test_a_text_beside_a_picture_is_answered_as_ever(shop: Shop) -> None:
    ana = shop.customer()
    await shop.says(ana, contents.image(), "3AZ001")
    await shop.says(ana, contents.text("productos"), "3AZ002")

    assert "Plan Personalizado" in (await shop.hears(ana)).text


async def test_what_nobody_knows_yet_is_kept_raw_and_asked_for_in_words(shop: Shop) -> None:
    ana = shop.customer()
    message = shop.server.protos.e2e.Message.FromString(bytes.fromhex("c2b802") + b"\x04\x0a\x02hi")
    await shop.deliver(ana.send(shop.owner, message, wa_id="3AZ003"))

    assert (await shop.hears(ana)).text == SAY.not_understood
    (raw,) = await rows(shop, ana.number, "i.details ->> 'raw'")
    assert 0 < len(raw) < RAW_BYTES


async def test_missed_calls_get_one_sentence_and_the_session_lives_on(shop: Shop) -> None:
    ana, eva, logins = shop.customer(), shop.customer(), shop.owner.logins
    for number in (1, 1, 1, 2, 3):
        await shop.deliver(signs.call(ana, f"RING{ana.number}{number}"))
        await shop.deliver(signs.hang_up(ana, f"RING{ana.number}{number}"))

    assert (await shop.hears(ana)).text == SAY.missed_call
    await shop.deliver(signs.call(ana, f"RING{ana.number}4"))
    await shop.deliver(signs.call(eva, f"RING{eva.number}"))
    await shop.deliver(signs.hang_up(eva, f"RING{eva.number}", TAKEN))
    await asyncio.sleep(4)
    assert ana.inbox.empty()
    assert eva.inbox.empty()
    await shop.says(ana, contents.text("hola"), "3AZ004")
    assert "Panaderia" in (await shop.hears(ana)).text
    assert shop.owner.logins == logins


async def test_signs_and_noise_are_never_answered(shop: Shop) -> None:
    ana = shop.customer()
    target = contents.key("3EB0", f"{ana.lid}@lid", own=False)
    for number, words in enumerate(
        (
            changes.reaction(target, "❤️"),
            changes.reaction(target, ""),
            changes.pin(target),
            changes.disappearing(86_400),
            contents.album(2),
            contents.text(" \n"),
            {},
        )
    ):
        await shop.says(ana, words, f"3AW{number}")
    await shop.until(ana, 2)
    await asyncio.sleep(4)

    assert ana.inbox.empty()
    assert await shop.ledger(ana) == {"inbox": ["silent"] * 2, "outbox": []}


async def test_a_place_and_a_quote_are_read(shop: Shop) -> None:
    ana = shop.customer()
    quote = contents.quoting(
        "productos", "3EB1", f"{shop.owner.lid}@lid", contents.text("¿algo más?")
    )
    await shop.says(ana, contents.location(19.4, -99.1, "Casa"), "3AZ005")
    await shop.says(ana, quote, "3AZ006")

    assert "Plan Personalizado" in (await shop.hears(ana)).text
    assert (await rows(shop, ana.number, "content"))[0] == "📍 Casa · 19.40000, -99.10000"
    assert (await rows(shop, ana.number, "i.details -> 'quote' ->> 'text'"))[1] == "¿algo más?"


async def test_a_picture_of_the_catalogue_reaches_the_customer(shop: Shop, tmp_path: Path) -> None:
    ana, file = shop.customer(), tmp_path / "plan.jpg"
    file.write_bytes(b"\xff\xd8\xff" + os.urandom(9_000))
    await shop.look.execute("UPDATE products SET image = $1", str(file))

    await shop.says(ana, contents.text("¿Tienes foto del plan personalizado?"), "3AZ007")
    heard = await shop.hears(ana)
    await shop.look.execute("UPDATE products SET image = NULL")

    assert shop.server.media.open(heard.message.imageMessage) == file.read_bytes()
    assert "Plan Personalizado" in heard.message.imageMessage.caption
