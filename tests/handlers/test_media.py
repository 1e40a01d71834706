"""What cannot be read is admitted kindly."""

import pytest

from handlers import Prompts
from handlers.media import Media
from models.values import Kind, Sender, Silence
from tests.handlers.making import line, said, turn


async def test_a_voice_message_gets_one_kind_sentence(prompts: Prompts) -> None:
    asked = turn("", "", kinds=(Kind.AUDIO, Kind.IMAGE))
    handler = Media(prompts)

    assert handler.wants(asked)
    assert await said(handler, asked) == (prompts.phrases.not_text,)


async def test_a_message_of_invisible_characters_is_asked_for_again(prompts: Prompts) -> None:
    asked = turn("\u200b\u200f\u2066 \x00")
    handler = Media(prompts)

    assert handler.wants(asked)
    assert await said(handler, asked) == (prompts.phrases.nothing_readable,)


async def test_it_is_said_in_the_language_written_before(prompts: Prompts) -> None:
    asked = turn("", kinds=(Kind.AUDIO,), history=(line("hi, how much is the plan?"),))

    assert await said(Media(prompts), asked) == (prompts.english.not_text,)


@pytest.mark.parametrize("kind", [Kind.OTHER, Kind.VOTE])
async def test_what_nobody_knows_gets_a_sentence_of_its_own(prompts: Prompts, kind: Kind) -> None:
    asked = turn("", kinds=(kind,))

    assert await said(Media(prompts), asked) == (prompts.phrases.not_understood,)


async def test_pictures_that_come_one_by_one_are_one_burst(prompts: Prompts) -> None:
    told = line(prompts.phrases.not_text, Sender.AGENT, number=1)
    silent, spoke = line("", number=2), line("mira estas", number=2)
    more = turn("", kinds=(Kind.IMAGE,), history=(line("", number=0), told, silent))
    asked = turn("", kinds=(Kind.IMAGE,), history=(told, spoke))

    assert isinstance(await Media(prompts).answer(more), Silence)
    assert await said(Media(prompts), asked) == (prompts.phrases.not_text,)


def test_text_beside_a_picture_is_for_the_persona(prompts: Prompts) -> None:
    assert not Media(prompts).wants(turn("", "¿qué te parece?", kinds=(Kind.IMAGE, Kind.TEXT)))
    assert not Media(prompts).wants(turn("👍"))
