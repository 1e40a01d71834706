"""What cannot be read is admitted kindly."""

from handlers import Prompts
from handlers.media import Media
from models.values import Kind
from tests.handlers.making import line, turn


async def test_a_voice_message_gets_one_kind_sentence(prompts: Prompts) -> None:
    asked = turn("", "", kinds=(Kind.AUDIO, Kind.IMAGE))
    handler = Media(prompts)

    assert handler.wants(asked)
    assert (await handler.answer(asked)).parts == (prompts.phrases.not_text,)


async def test_a_message_of_invisible_characters_is_asked_for_again(prompts: Prompts) -> None:
    asked = turn("\u200b\u200f\u2066 \x00")
    handler = Media(prompts)

    assert handler.wants(asked)
    assert (await handler.answer(asked)).parts == (prompts.phrases.nothing_readable,)


async def test_it_is_said_in_the_language_written_before(prompts: Prompts) -> None:
    asked = turn("", kinds=(Kind.AUDIO,), history=(line("hi, how much is the plan?"),))

    assert (await Media(prompts).answer(asked)).parts == (prompts.english.not_text,)


def test_text_beside_a_picture_is_for_the_persona(prompts: Prompts) -> None:
    assert not Media(prompts).wants(turn("", "¿qué te parece?", kinds=(Kind.IMAGE, Kind.TEXT)))
    assert not Media(prompts).wants(turn("👍"))
