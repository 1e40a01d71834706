"""Reads a model's answer before the customer does: no link, no price and no secret of its own."""

import re
from dataclasses import dataclass

from handlers.answer import Action, Answer
from handlers.brief import OWNER_WORDS, RULE_WORDS, Opening, runs
from handlers.discounts import unknown_discount
from handlers.links import without_links
from handlers.money import readable, unknown_price
from models.text import bare, cut, squeeze, visible, words
from models.values import CompanyCard, ProductCard, Stage

TEXT_CHARACTERS = 1_500
"""The longest text a customer gets; a link of ours may follow it."""

_READ_CHARACTERS = 4 * TEXT_CHARACTERS
_BOLD = re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*")
_HEADING = re.compile(r"^#{1,6} +", re.MULTILINE)
_MOVES = {(Stage.LEAD, Stage.QUALIFIED), (Stage.CHURNED, Stage.QUALIFIED)}
"""The stages a conversation alone may change; a sale makes a customer, nothing said does."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The text as it may be sent, or the names of the notes that say why it may not."""

    text: str
    problems: tuple[str, ...]
    stripped: bool


def inspect(answer: Answer, company: CompanyCard, opening: Opening) -> Verdict:
    """Strip what can be stripped from *answer* and name what cannot be sent."""
    raw = visible(answer.text[:_READ_CHARACTERS])
    said = _unlinked(raw, opening)
    plain = readable(bare(said))
    text = cut(squeeze(_BOLD.sub(r"*\1*", _HEADING.sub("", said))), TEXT_CHARACTERS)
    checks = {
        "no_text": not text,
        "unknown_price": unknown_price(plain, company.products, told=opening.told_sums),
        "unknown_discount": unknown_discount(plain, opening.owner_text),
        "leak": _leaks(raw, opening),
        "unknown_product": _names_unknown_product(answer.actions, company),
    }
    return Verdict(
        text=text,
        problems=tuple(name for name, found in checks.items() if found),
        stripped=said != raw,
    )


def product_to_pay(answer: Answer, company: CompanyCard) -> ProductCard | None:
    """The product whose link the answer asks for; one a turn, the first."""
    asked = (action for action in answer.actions if action.kind == "send_payment_link")
    return _product(next(asked, None), company)


def product_to_show(answer: Answer, company: CompanyCard) -> ProductCard | None:
    """The product whose picture the answer asks for, if it has one; one a turn, the first."""
    asked = (action for action in answer.actions if action.kind == "send_picture")
    product = _product(next(asked, None), company)
    return product if product is not None and product.picture else None


def allowed_stage(now: Stage, wanted: Stage) -> Stage | None:
    """*wanted* if a conversation alone may lead there from *now*."""
    return wanted if (now, wanted) in _MOVES else None


def _unlinked(raw: str, opening: Opening) -> str:
    said = without_links(raw, allowed_mails=opening.owner_mails)
    plain = bare(said)
    if plain == said:
        return said
    undisguised = without_links(plain, allowed_mails=opening.owner_mails)
    return said if undisguised == plain else undisguised


def _leaks(raw: str, opening: Opening) -> bool:
    if opening.canary in bare(raw).casefold():
        return True
    said = words(raw).split()
    return not (
        opening.rules.isdisjoint(runs(said, RULE_WORDS))
        and (not opening.owner or opening.owner.isdisjoint(runs(said, OWNER_WORDS)))
    )


def _names_unknown_product(actions: list[Action], company: CompanyCard) -> bool:
    asked = (action for action in actions if action.kind == "send_payment_link")
    return any(_product(action, company) is None for action in asked)


def _product(action: Action | None, company: CompanyCard) -> ProductCard | None:
    if action is None:
        return None
    ref = (action.product_ref or "").strip().upper()
    return next((product for product in company.products if product.ref == ref), None)
