"""The order of the handlers, and that somebody always wants the turn."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from handlers import build, load_prompts
from models.values import Kind
from tests.handlers.making import ScriptedModel, turn

_PROMPTS = load_prompts()


def chosen(text: str, **changes: Any) -> str:
    handlers = build(ScriptedModel(), _PROMPTS, 60)
    return next(handler.name for handler in handlers if handler.wants(turn(text, **changes)))


def test_the_first_that_wants_the_turn_has_it() -> None:
    assert chosen("stop") == "opt_out"
    assert chosen("quiero hablar con una persona") == "hand_over"
    assert chosen("", kinds=(Kind.AUDIO,)) == "media"
    assert chosen("hola") == "persona"
    assert chosen("quiero hablar con una persona", customer={"opted_out": True}) == "opt_out"


@given(text=st.text(st.characters(codec=None), max_size=300))
def test_every_text_finds_its_handler(text: str) -> None:
    assert chosen(text)
