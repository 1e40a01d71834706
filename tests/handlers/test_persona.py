"""From a model's decision to a reply, and to a person where the model must not decide."""

from dataclasses import replace
from string import Template
from typing import Any

import pytest

from handlers import Prompts
from handlers.persona import Persona
from models.errors import GiveUp, RetryLater
from models.values import Stage
from tests.handlers.making import (
    CHALLENGE,
    PLAN,
    ScriptedModel,
    answer,
    company,
    link_action,
    picture_action,
    turn,
)


def persona(model: ScriptedModel, prompts: Prompts) -> Persona:
    return Persona(model, prompts, pause_minutes=60)


async def test_an_ordinary_answer_becomes_one_reply(prompts: Prompts) -> None:
    model = ScriptedModel(answer("¡Claro que sí!", intent="product_inquiry", stage="qualified"))

    reply = await persona(model, prompts).answer(turn("¿tienen algo para principiantes?"))

    assert reply.parts == ("¡Claro que sí!",)
    assert reply.stage is Stage.QUALIFIED
    assert (reply.pause_minutes, reply.event) == (None, None)
    assert reply.ai is not None
    assert (reply.ai.model, reply.ai.tokens_used, reply.ai.response_time) == ("model-1", 100, 250)
    assert (reply.ai.intent, reply.ai.sentiment) == ("product_inquiry", "positive")
    assert reply.event_data == {
        "prompt_hash": model.asked[0].hash,
        "target": "scripted",
        "asked": [{"target": "scripted", "model": "model-1", "in": 80, "out": 20}],
    }


async def test_a_request_whose_tokens_nobody_told_apart_is_recorded_by_their_sum(
    prompts: Prompts,
) -> None:
    model = ScriptedModel(answer("¡Claro que sí!"), prompt_tokens=None)

    reply = await persona(model, prompts).answer(turn("¿tienen algo?"))

    assert reply.event_data["asked"] == [{"target": "scripted", "model": "model-1", "tokens": 100}]


async def test_what_the_guard_held_back_is_recorded_with_both_requests(prompts: Prompts) -> None:
    model = ScriptedModel(answer("Te lo dejo en $50"), answer("Cuesta lo que dice el catálogo"))

    reply = await persona(model, prompts).answer(turn("¿precio?"))

    assert reply.event_data["guard"] == ["unknown_price"]
    asked = reply.event_data["asked"]
    assert isinstance(asked, list)
    assert len(asked) == 2


async def test_the_link_comes_from_the_catalogue(prompts: Prompts) -> None:
    said = answer("Aquí está: https://evil.test/x", actions=[link_action("P2")])

    reply = await persona(ScriptedModel(said), prompts).answer(turn("quiero el reto"))

    assert reply.parts == ("Aquí está:\n\nReto Mensual · 78.00 USD\nhttps://pay.test/reto",)
    assert reply.event_data["link_removed"] is True


async def test_a_picture_comes_from_the_catalogue_with_the_text_under_it(prompts: Prompts) -> None:
    said = answer("Míralo: https://evil.test/x.jpg", actions=[picture_action("P2")])
    shown = company(products=(PLAN, replace(CHALLENGE, picture="https://shop.test/reto.jpg")))

    reply = await persona(ScriptedModel(said), prompts).answer(turn("¿foto?", company=shown))

    assert reply.picture == "https://shop.test/reto.jpg"
    assert reply.parts == ("Míralo:",)


async def test_a_text_too_long_for_a_caption_keeps_its_own_bubble(prompts: Prompts) -> None:
    said = answer("así es. " * 150, actions=[picture_action("P2")])
    shown = company(products=(PLAN, replace(CHALLENGE, picture="/srv/reto.jpg")))

    reply = await persona(ScriptedModel(said), prompts).answer(turn("¿foto?", company=shown))

    assert reply.parts[0] == "*Reto Mensual* · 78.00 USD"
    assert len(reply.parts) == 2


@pytest.mark.parametrize("ref", ["P1", "P9", None])
async def test_without_a_picture_the_text_goes_alone(ref: str | None, prompts: Prompts) -> None:
    text = ("No tengo foto. " * 90).strip()  # Too long for a caption.
    said = answer(text, actions=[picture_action(ref)])

    reply = await persona(ScriptedModel(said), prompts).answer(turn("¿foto?"))

    assert (reply.parts, reply.picture) == ((text,), None)


@pytest.mark.parametrize(
    ("text", "kept"), [("¡Qué bueno!", True), ("Te paso el enlace de pago.", False)]
)
async def test_a_purchase_without_a_link_is_handed_over(
    text: str, kept: bool, prompts: Prompts
) -> None:
    said = answer(text, actions=[link_action("P1")])

    reply = await persona(ScriptedModel(said), prompts).answer(turn("quiero el plan"))

    assert "Plan Personalizado cuesta 98.00 USD." in reply.parts[0]
    assert (text in reply.parts[0]) is kept
    assert (reply.pause_minutes, reply.pause_reason) == (60, "handover")
    assert reply.event == "handover_requested"
    assert reply.event_data["reason"] == "no_payment_link"
    assert reply.event_data["product"] == {
        "id": str(turn("quiero el plan").company.products[0].id),
        "name": "Plan Personalizado",
    }


async def test_a_wrong_price_is_asked_for_once_more(prompts: Prompts) -> None:
    model = ScriptedModel(answer("Te lo dejo en $50"), answer("Cuesta 98.00 USD"))

    reply = await persona(model, prompts).answer(turn("¿precio?"))

    assert reply.parts == ("Cuesta 98.00 USD",)
    assert len(model.asked) == 2
    told = [(message.role, message.content) for message in model.asked[1].messages[-2:]]
    assert told[0][0] == "assistant"
    assert "$50" in told[0][1]
    assert prompts.notes.unknown_price in told[1][1]
    assert reply.ai is not None
    assert (reply.ai.tokens_used, reply.ai.response_time) == (200, 500)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (answer("Te lo dejo en $50"), "guard: unknown_price"),
        (answer("Con 90% de descuento"), "guard: unknown_discount"),
        (answer("Claro", actions=[link_action("P7")]), "guard: unknown_product"),
        (answer("https://evil.test"), "guard: no_text"),
        (
            answer("Responde en el idioma de la persona; si dudas, en español latinoamericano"),
            "guard: leak",
        ),
    ],
)
async def test_after_two_bad_answers_a_person_takes_over(
    said: object, reason: str, prompts: Prompts
) -> None:
    model = ScriptedModel(said, said)  # type: ignore[arg-type]  # Parametrized values are objects.

    reply = await persona(model, prompts).answer(turn("¿precio?"))

    assert reply.parts == (prompts.phrases.handover_after_failure,)
    assert reply.pause_minutes == 60
    assert reply.event_data["reason"] == reason
    assert reply.ai is not None


@pytest.mark.parametrize(
    "changes",
    [{"actions": [{"kind": "hand_over", "product_ref": None}]}, {"intent": "human_request"}],
)
async def test_the_model_may_call_a_person(changes: dict[str, object], prompts: Prompts) -> None:
    said = answer("Lamento lo ocurrido.", **changes)

    reply = await persona(ScriptedModel(said), prompts).answer(turn("estoy muy molesto"))

    assert reply.parts == (f"Lamento lo ocurrido.\n\n{prompts.phrases.handed_over}",)
    assert (reply.pause_minutes, reply.event) == (60, "handover_requested")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"actions": [link_action("P1")]}, "no_payment_link"),
        ({"actions": [{"kind": "hand_over", "product_ref": None}]}, "handed_over"),
        ({"text": "It is $50"}, "handover_after_failure"),
    ],
)
async def test_our_own_sentences_are_in_the_customers_language(
    changes: dict[str, Any], sentence: str, prompts: Prompts
) -> None:
    said = answer(**{"text": "Great!", **changes})

    asked = turn("I would like to buy the plan")
    reply = await persona(ScriptedModel(said, said), prompts).answer(asked)

    english = getattr(prompts.english, sentence)
    assert reply.parts[0].endswith(fill_plan(english))


def fill_plan(sentence: str) -> str:
    """The sentence about the first product, if it is about one."""
    return Template(sentence).substitute(product="Plan Personalizado", price="98.00 USD")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"intent": "complaint"}, "complaint"), ({"confidence": 0.3}, "low_confidence")],
)
async def test_the_owner_is_told_of_complaints_and_doubts(
    changes: dict[str, object], reason: str, prompts: Prompts
) -> None:
    reply = await persona(ScriptedModel(answer("Entiendo.", **changes)), prompts).answer(turn())

    assert reply.event == "owner_attention"
    assert reply.event_data["reason"] == reason
    assert reply.pause_minutes is None
    assert reply.parts == ("Entiendo.",)


@pytest.mark.parametrize("error", [RetryLater("no language model answered"), GiveUp("refused")])
async def test_a_missing_answer_is_the_roads_business(error: Exception, prompts: Prompts) -> None:
    with pytest.raises(type(error)):
        await persona(ScriptedModel(error), prompts).answer(turn())


async def test_no_stage_is_changed_by_an_answer_that_was_held_back(prompts: Prompts) -> None:
    bad = answer("Te lo dejo en $50", stage="qualified")

    reply = await persona(ScriptedModel(bad, bad), prompts).answer(turn())

    assert reply.stage is None
