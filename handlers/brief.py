"""What a language model is told: a beginning that never changes, then this customer's turn."""

import hashlib
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from handlers.base import Message, Prompt
from handlers.links import mails, without_links
from handlers.money import Sum, permitted_sums, price_text, readable, sums
from handlers.prompts import Prompts, fill
from models.text import bare, cut, one_line, squeeze, visible, words
from models.values import CompanyCard, Kind, Line, ProductCard, Sender, Turn

HISTORY_CHARACTERS = 1_000
"""As much of an earlier message as a model reads."""

BATCH_CHARACTERS = 6_000
"""As much of the waiting messages as a model reads, all together."""

QUOTE_CHARACTERS = 300
"""As much of a quoted message as a model reads."""
LATE = timedelta(minutes=10)
"""A model is told of a wait from here on."""

COMPANIES_KEPT = 256
RULE_WORDS = 8
OWNER_WORDS = 20
NOTHING = "—"

_UNSEEN = {
    *(Kind.IMAGE, Kind.VIDEO, Kind.AUDIO, Kind.DOCUMENT),
    *(Kind.STICKER, Kind.VOTE, Kind.CALL, Kind.OTHER),
}
"""What comes without words that say it all."""

_TELLABLE = "ver imágenes ni documentos"
"""In the rule that an honest answer repeats: what we cannot see or hear."""

_TAG = re.compile(r"<\s*/?\s*m-\w*\s*>?")


@dataclass(frozen=True, slots=True)
class Opening:
    """The stable beginning of a company's prompt, and what the guard must know of it.

    ``secrets`` are runs of words nobody may read in an answer: eight of our rules, twenty of
    the owner's own text (which is there to be used, not recited). ``told_sums`` are those that a
    product's description or the house rules name.
    """

    text: str
    hash: str
    canary: str
    rules: frozenset[str]
    owner: frozenset[str]
    owner_text: str
    owner_mails: frozenset[str]
    told_sums: frozenset[Sum]


class Briefs:
    """Assembles prompts; a company's opening is byte-identical until its card changes."""

    def __init__(
        self, prompts: Prompts, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._prompts = prompts
        self._now = now
        self._rules = _secret(fill(prompts.rules, company=" ", canary=" "))
        self._openings: dict[CompanyCard, Opening] = {}

    def opening(self, company: CompanyCard) -> Opening:
        """The company's opening, made once for each state of its card."""
        known = self._openings.get(company)
        if known is None:
            while len(self._openings) >= COMPANIES_KEPT:
                del self._openings[next(iter(self._openings))]
            known = self._openings[company] = self._make(company)
        return known

    def prompt(self, turn: Turn) -> Prompt:
        """The whole prompt of one turn."""
        opening = self.opening(turn.company)
        system = f"{opening.text}\n\n{self._customer(turn)}"
        spoken = _merged(turn.history)
        asked = self._asked(turn)
        if spoken and spoken[-1].role == "user":
            asked = Message("user", f"{spoken.pop().content}\n\n{asked.content}")
        return Prompt(
            messages=(Message("system", system), *spoken, asked),
            turn=turn,
            hash=opening.hash,
            cache_key=f"{turn.company.id}:{opening.hash}",
            repair=self._prompts.repair,
        )

    def _make(self, company: CompanyCard) -> Opening:
        house_rules = _own(visible(company.system_prompt or "")).strip()
        personality = _own(visible(company.brand_personality)).strip()
        canary = _short_hash(f"{company.id}:{self._prompts.version}")
        name = one_line(company.name, 100)
        rules = fill(self._prompts.rules, company=name, canary=canary)
        own = fill(
            self._prompts.company,
            company=name,
            house_rules=house_rules or NOTHING,
            personality=personality or NOTHING,
            catalogue="\n".join(map(_catalogue_line, company.products)) or NOTHING,
            by_hand=_refs(p for p in company.products if not p.payment_link),
            pictured=_refs(p for p in company.products if p.picture),
        )
        described = "\n".join(f"{p.name}: {p.description}" for p in company.products)
        owner_text = f"{company.system_prompt or ''}\n{company.brand_personality}\n{described}"
        return Opening(
            text=f"{rules}\n\n{own}",
            hash=_short_hash(f"{rules}\n\n{own}"),
            canary=canary,
            rules=self._rules,
            owner=frozenset().union(
                *(runs(_words(text), OWNER_WORDS) for text in (house_rules, personality))
            ),
            owner_text=readable(bare(owner_text)),
            owner_mails=mails(owner_text),
            told_sums=sums(readable(bare(described)))
            | permitted_sums(readable(bare(f"{house_rules}\n{personality}"))),
        )

    def _customer(self, turn: Turn) -> str:
        name = without_links(one_line(turn.customer.name or "", 40)).replace('"', "").strip()
        return fill(self._prompts.customer, name=name or NOTHING, stage=turn.customer.stage.value)

    def _asked(self, turn: Turn) -> Message:
        text = squeeze(_TAG.sub("", visible(self._said(turn)[: 2 * BATCH_CHARACTERS])))
        notes = self._notes(turn, len(text))
        tag = f"m-{secrets.token_hex(4)}"
        body = "\n".join((f"<{tag}>", cut(text, BATCH_CHARACTERS), f"</{tag}>", *notes))
        return Message("user", body)

    def _said(self, turn: Turn) -> str:
        """The waiting text, each message behind what it quotes."""
        return "\n".join(self._quoting(line) for line in turn.messages if line.text.strip())

    def _quoting(self, line: Line) -> str:
        if line.quote is None or not line.quote.text.strip():
            return line.text
        quoted = one_line(line.quote.text, QUOTE_CHARACTERS)
        return f"{fill(self._prompts.notes.quoting, quoted=quoted)}\n{line.text}"

    def _notes(self, turn: Turn, length: int) -> Iterable[str]:
        whole = sum(len(line.text) for line in turn.messages)
        if length > BATCH_CHARACTERS or whole > 2 * BATCH_CHARACTERS:
            yield fill(self._prompts.notes.shortened, length=str(whole))
        if kinds := [kind.value for kind in turn.kinds if kind in _UNSEEN]:
            yield fill(self._prompts.notes.attachments, kinds=", ".join(kinds))
        waited = self._now() - turn.messages[0].at
        if waited >= LATE:
            yield fill(self._prompts.notes.waited, time=_spoken(waited))


def runs(said: Sequence[str], length: int) -> frozenset[str]:
    """Every run of *length* words in *said*, as the guard compares them."""
    starts = range(len(said) - length + 1)
    return frozenset(" ".join(said[start : start + length]) for start in starts)


def _secret(rules: str) -> frozenset[str]:
    kept = (line for line in rules.splitlines() if _TELLABLE not in line)
    return runs(_words("\n".join(kept)), RULE_WORDS)


def _own(text: str) -> str:
    """The owner's *text* without its links, but with the mail addresses that may be told."""
    return without_links(text, allowed_mails=mails(text))


def _words(text: str) -> list[str]:
    return words(text).split()


def _spoken(time: timedelta) -> str:
    minutes = int(time.total_seconds() // 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _catalogue_line(product: ProductCard) -> str:
    name, description = (
        _own(one_line(text, most)).replace("|", "/").strip()
        for text, most in ((product.name, 100), (product.description, 400))
    )
    return f"{product.ref} | {name} | {price_text(product)} | {description or NOTHING}"


def _refs(products: Iterable[ProductCard]) -> str:
    return ", ".join(product.ref for product in products) or NOTHING


def _merged(history: Iterable[Line]) -> list[Message]:
    """The history with one message a side in a row, as chat templates want it."""
    merged: list[Message] = []
    for line in history:
        text = cut(squeeze(visible(line.text[: 2 * HISTORY_CHARACTERS])), HISTORY_CHARACTERS)
        role = "user" if line.sender is Sender.CUSTOMER else "assistant"
        if not text:
            continue
        if merged and merged[-1].role == role:
            text = f"{merged.pop().content}\n{text}"
        merged.append(Message("user" if role == "user" else "assistant", text))
    return merged


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
