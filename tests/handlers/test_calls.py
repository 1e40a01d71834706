"""A call is answered with one sentence, and only that."""

from handlers import Prompts
from handlers.calls import Calls
from models.values import Kind, Sender, Silence
from tests.handlers.making import line, said, turn

RANG = (Kind.CALL,)


def calls(prompts: Prompts, sentence: str = "", minutes: int = 30) -> Calls:
    return Calls(prompts, sentence=sentence, minutes=minutes)


async def test_a_caller_is_told_in_their_language(prompts: Prompts) -> None:
    asked = turn("", kinds=RANG)
    spoke = turn("", kinds=RANG, history=(line("hi, how much is the plan?"),))

    assert calls(prompts).wants(asked)
    assert await said(calls(prompts), asked) == (prompts.phrases.missed_call,)
    assert await said(calls(prompts), spoke) == (prompts.english.missed_call,)


async def test_the_operators_own_sentence_is_said_as_it_is(prompts: Prompts) -> None:
    handler = calls(prompts, " Llámanos al local. ")

    assert await said(handler, turn("", kinds=RANG)) == ("Llámanos al local.",)


async def test_who_calls_again_is_told_once_in_the_window(prompts: Prompts) -> None:
    told = line(prompts.phrases.missed_call, Sender.AGENT, number=0)
    again = turn("", kinds=RANG, history=(told, line("bueno", number=10)))
    later = turn(*[""] * 62, kinds=RANG * 62, history=(told,))  # A second for each message.

    assert isinstance(await calls(prompts, minutes=1).answer(again), Silence)
    assert not isinstance(await calls(prompts, minutes=1).answer(later), Silence)


def test_a_call_beside_words_or_a_picture_is_for_others(prompts: Prompts) -> None:
    assert not calls(prompts).wants(turn("", "¿precio?", kinds=(Kind.CALL, Kind.TEXT)))
    assert not calls(prompts).wants(turn("", "", kinds=(Kind.CALL, Kind.IMAGE)))
