"""Whatever a stranger's program writes is read without an error, and every store can keep it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.whatsapp.contents import content_of
from bot.whatsapp.library import read_protos
from models.details import details
from tests.builders import message
from tests.whatsapp_server import contents

PROTOS = read_protos()
NAN, ENDLESS = float("nan"), float("inf")
VARIANTS: tuple[contents.Words, ...] = (
    contents.quoting("sí", "3EB0", "9@lid", contents.text("¿el rojo?")),
    contents.image("así", {"directPath": "/v/x", "mediaKey": b"k" * 32}),
    contents.voice({"directPath": "/v/x", "mediaKey": b"k" * 32}),
    contents.document("a.pdf", "mi pedido"),
    contents.location(19.4, -99.1, "Casa", "Calle 5"),
    contents.contacts(("Eva", "5215500000001"), ("Leo", "5215500000002")),
    contents.flow_reply("Confirmo", "confirm"),
    contents.poll("¿Cuál?", "rojo", "azul", secret=b"s" * 32),
    contents.order("Camisas", 2, 598_000),
    contents.product("Camisa", 299_000),
    contents.event("Cita", 1_800_000_000),
)
BODIES = [PROTOS.e2e.Message(**words).SerializeToString() for words in VARIANTS]


def kept(message_: Any) -> str:
    """What the ledger would get, as it would get it."""
    content = content_of(message_)
    if content is None:
        return ""
    row = {"text": content.text, "facts": content.facts, "media": content.media}
    fields = {**row, "kind": content.kind, "quote": content.quote, "target": content.target}
    said = message(message("0" * 32).company_id, **fields)  # type: ignore[arg-type]
    return json.dumps([said.text, details(said)], allow_nan=False)


@given(st.sampled_from(BODIES), st.data())
def test_a_spoiled_message_is_read_or_left_and_never_an_error(body: bytes, data: Any) -> None:
    spoiled = bytearray(body)
    for _ in range(data.draw(st.integers(1, 6))):
        spoiled[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        message_ = PROTOS.e2e.Message.FromString(bytes(spoiled))
    except PROTOS.broken:
        return

    assert "\\u0000" not in kept(message_)


@pytest.mark.parametrize("value", [NAN, ENDLESS, -ENDLESS])
def test_a_place_that_is_none_can_be_kept(value: float) -> None:
    assert "0.0" in kept(PROTOS.e2e.Message(**contents.location(value, value, "x")))


@pytest.mark.parametrize("starts", [-(2**63), 2**63 - 1])
def test_an_appointment_beyond_all_calendars_can_be_kept(starts: int) -> None:
    assert str(starts) in kept(PROTOS.e2e.Message(**contents.event("x", starts)))


def test_nul_reaches_no_store_by_any_field() -> None:
    words = contents.location(1.0, 2.0, "a\0b", "c\0d")

    assert "\\u0000" not in kept(PROTOS.e2e.Message(**words))
