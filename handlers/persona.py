"""The company's voice: asks a language model, and lets nothing through that is not ours to say."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from handlers.answer import Answer
from handlers.base import Completion, LanguageModel, Prompt
from handlers.brief import Briefs, Opening
from handlers.guard import Verdict, allowed_stage, inspect, product_to_pay, product_to_show
from handlers.hand_over import handed_over
from handlers.language import language
from handlers.links import without_links
from handlers.money import price_text
from handlers.prompts import Phrases, Prompts, fill
from models.text import one_line
from models.values import AiMetadata, ProductCard, Reply, Turn

log = logging.getLogger(__name__)

SURE_ENOUGH = 0.5
"""Below this confidence the owner is told to have a look."""

CAPTION_CHARACTERS = 1_000
"""WhatsApp cuts the text under a picture at 1,024."""


@dataclass(frozen=True, slots=True)
class _Judged:
    completion: Completion
    verdict: Verdict
    ai: AiMetadata

    @property
    def answer(self) -> Answer:
        return self.completion.answer


class Persona:
    """The last handler: it wants every turn.

    An answer the guard holds back is asked for once more, within what is left of the model's
    deadline; after that the chat goes to a person. RetryLater and GiveUp of the model pass through.
    """

    name = "persona"

    def __init__(self, model: LanguageModel, prompts: Prompts, *, pause_minutes: int) -> None:
        self._model = model
        self._prompts = prompts
        self._briefs = Briefs(prompts)
        self._pause_minutes = pause_minutes

    def wants(self, turn: Turn) -> bool:  # noqa: ARG002 - It wants them all.
        return True

    async def answer(self, turn: Turn) -> Reply:
        prompt, opening = self._briefs.prompt(turn), self._briefs.opening(turn.company)
        asked = [await self._ask(prompt, opening)]
        if asked[0].verdict.problems:
            asked.append(await self._ask_again(prompt, opening, asked[0]))
        reply = self._reply(turn, asked[-1])
        facts = _facts(prompt, asked)
        return replace(reply, ai=asked[-1].ai, event_data=reply.event_data | facts)

    async def _ask(self, prompt: Prompt, opening: Opening, spent: float = 0.0) -> _Judged:
        completion = await self._model.complete(prompt, spent=spent)
        verdict = inspect(completion.answer, prompt.turn.company, opening)
        return _Judged(completion, verdict, _metadata(completion))

    async def _ask_again(self, prompt: Prompt, opening: Opening, first: _Judged) -> _Judged:
        log.warning(
            "guard held an answer back",
            extra={"company": str(prompt.turn.company.id), "why": first.verdict.problems},
        )
        notes = " ".join(getattr(self._prompts.notes, name) for name in first.verdict.problems)
        note = fill(self._prompts.correction, problems=notes)
        corrected = prompt.corrected(first.answer.model_dump_json(), note)
        second = await self._ask(corrected, opening, first.completion.seconds)
        return replace(second, ai=_added(first.ai, second.ai))

    def _reply(self, turn: Turn, judged: _Judged) -> Reply:
        say = self._prompts.say(language(turn))
        if judged.verdict.problems:
            reason = f"guard: {', '.join(judged.verdict.problems)}"
            return self._hand_over(say.handover_after_failure, reason)
        return replace(
            _shown(self._said(turn, judged, say), product_to_show(judged.answer, turn.company)),
            stage=allowed_stage(turn.customer.stage, judged.answer.stage),
        )

    def _said(self, turn: Turn, judged: _Judged, say: Phrases) -> Reply:
        text = judged.verdict.text
        product = product_to_pay(judged.answer, turn.company)
        if product is not None and not product.payment_link:
            return self._by_hand(text, product, say)
        if product is not None:
            text = f"{text}\n\n{_payment_line(product, say)}"
        if _calls_a_person(judged.answer):
            return self._hand_over(f"{text}\n\n{say.handed_over}", "model")
        return _flagged(Reply(parts=(text,), handler=self.name), judged.answer)

    def _by_hand(self, text: str, product: ProductCard, say: Phrases) -> Reply:
        sentence = fill(say.no_payment_link, **_slots(product))
        promises_link = any(word in text.casefold() for word in ("enlace", "link"))
        whole = sentence if promises_link else f"{text}\n\n{sentence}"
        reply = self._hand_over(whole, "no_payment_link")
        facts: dict[str, object] = {"id": str(product.id), "name": product.name}
        return replace(reply, event_data=reply.event_data | {"product": facts})

    def _hand_over(self, text: str, reason: str) -> Reply:
        return handed_over(
            text, handler=self.name, pause_minutes=self._pause_minutes, reason=reason
        )


def _calls_a_person(answer: Answer) -> bool:
    """Whether the model passes the chat on, or heard a wish that our own patterns missed."""
    asked = any(action.kind == "hand_over" for action in answer.actions)
    return asked or answer.intent == "human_request"


def _shown(reply: Reply, product: ProductCard | None) -> Reply:
    """The same reply under the product's picture; a long text keeps a bubble of its own."""
    if product is None:
        return reply
    if len(reply.parts[0]) <= CAPTION_CHARACTERS:
        return replace(reply, picture=product.picture)
    slots = _slots(product)
    caption = f"*{slots['product']}* · {slots['price']}"
    return replace(reply, picture=product.picture, parts=(caption, *reply.parts))


def _payment_line(product: ProductCard, say: Phrases) -> str:
    link = (product.payment_link or "").strip()
    return fill(say.payment_link, **_slots(product), link=link)


def _slots(product: ProductCard) -> dict[str, str]:
    name = without_links(one_line(product.name, 100))
    return {"product": name, "price": price_text(product)}


def _flagged(reply: Reply, answer: Answer) -> Reply:
    """The same reply, marked for the owner where the model was unsure or heard a complaint."""
    if answer.intent == "complaint":
        return replace(reply, event="owner_attention", event_data={"reason": "complaint"})
    if answer.confidence < SURE_ENOUGH:
        return replace(reply, event="owner_attention", event_data={"reason": "low_confidence"})
    return reply


def _metadata(completion: Completion) -> AiMetadata:
    return AiMetadata(
        model=completion.model,
        tokens_used=completion.tokens,
        response_time=round(1000 * completion.seconds),
        intent=completion.answer.intent,
        sentiment=completion.answer.sentiment,
        confidence=completion.answer.confidence,
    )


def _added(first: AiMetadata, second: AiMetadata) -> AiMetadata:
    return replace(
        second,
        tokens_used=first.tokens_used + second.tokens_used,
        response_time=first.response_time + second.response_time,
    )


def _facts(prompt: Prompt, asked: Sequence[_Judged]) -> dict[str, object]:
    """What the turn's row keeps of how the answer came about."""
    last = asked[-1]
    facts: dict[str, object] = {"prompt_hash": prompt.hash, "target": last.completion.target}
    facts["asked"] = [_request(judged.completion) for judged in asked]
    if asked[1:]:
        facts["guard"] = list(asked[0].verdict.problems)
    if last.verdict.stripped:
        facts["link_removed"] = True
    return facts


def _request(completion: Completion) -> dict[str, object]:
    """One answer's cost: tokens read and written, or their sum where nobody told them apart."""
    told: dict[str, object] = {"target": completion.target, "model": completion.model}
    read = completion.prompt_tokens
    if read is None:
        return told | {"tokens": completion.tokens}
    return told | {"in": read, "out": completion.tokens - read}
