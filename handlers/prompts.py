"""The texts under ``prompts/``, read once at start and checked to the last slot."""

import hashlib
import tomllib
from dataclasses import dataclass, fields
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Template
from typing import Any, TypeVar

from models.errors import StartupRefused

_SLOTS: dict[str, frozenset[str]] = {
    "rules.md": frozenset({"company", "canary"}),
    "company.md": frozenset(
        {"company", "house_rules", "personality", "catalogue", "by_hand", "pictured"}
    ),
    "customer.md": frozenset({"name", "stage"}),
    "correction.md": frozenset({"problems"}),
    "repair.md": frozenset(),
    "payment_link": frozenset({"product", "price", "link"}),
    "no_payment_link": frozenset({"product", "price"}),
    "greeting": frozenset({"name", "company"}),
    "catalogue": frozenset({"lines"}),
    "catalogue_line": frozenset({"product", "price"}),
    "catalogue_line_described": frozenset({"product", "price", "description"}),
    "price": frozenset({"product", "price"}),
    "price_described": frozenset({"product", "price", "description"}),
    "which_product": frozenset({"lines"}),
    "shortened": frozenset({"length"}),
    "attachments": frozenset({"kinds"}),
    "quoting": frozenset({"quoted"}),
    "waited": frozenset({"time"}),
}
"""The slots each text must have; a phrase that is not named here has none."""


@dataclass(frozen=True, slots=True)
class Phrases:
    """What we say without a language model, in one language; `fill` those with slots."""

    slow_down: str
    answer_shortly: str
    handed_over: str
    handover_after_failure: str
    not_text: str
    nothing_readable: str
    not_understood: str
    missed_call: str
    opted_out: str
    opted_in: str
    payment_link: str
    no_payment_link: str
    greeting: str
    catalogue: str
    catalogue_line: str
    catalogue_line_described: str
    empty_catalogue: str
    price: str
    price_described: str
    purchase: str
    purchase_by_hand: str
    which_product: str
    farewell: str
    generic: str


@dataclass(frozen=True, slots=True)
class Notes:
    """What only a model reads: why its answer was held back, what is missing from a message."""

    unknown_price: str
    unknown_discount: str
    leak: str
    unknown_product: str
    no_text: str
    shortened: str
    attachments: str
    quoting: str
    waited: str


Texts = TypeVar("Texts", Phrases, Notes)


@dataclass(frozen=True, slots=True)
class Prompts:
    """All texts of one version; ``version`` is a hash of what a language model reads."""

    rules: str
    company: str
    customer: str
    correction: str
    repair: str
    phrases: Phrases
    english: Phrases
    notes: Notes
    version: str

    def say(self, language: str) -> Phrases:
        """The phrases for ``es`` or ``en``."""
        return self.english if language == "en" else self.phrases


def fill(template: str, **slots: str) -> str:
    """*template* with its slots filled; a ``$`` inside a value is never expanded again."""
    return Template(template).substitute(slots)


def load_prompts(root: Traversable | None = None) -> Prompts:
    """Read every text. Raises StartupRefused naming the file that is missing or wrong."""
    folder = root or _installed()
    spanish, english = (_table(folder / language / "phrases.toml") for language in ("es", "en"))
    notes = spanish.pop("notes", {})
    texts = {
        name: _text(folder / "es" / f"{name}.md")
        for name in ("rules", "company", "customer", "correction", "repair")
    }
    return Prompts(
        phrases=_checked(Phrases, spanish, folder / "es" / "phrases.toml"),
        english=_checked(Phrases, english, folder / "en" / "phrases.toml"),
        notes=_checked(Notes, notes, folder / "es" / "phrases.toml"),
        version=hashlib.sha256("\0".join(texts.values()).encode()).hexdigest()[:12],
        **texts,
    )


def _installed() -> Traversable:
    try:
        return files("prompts")
    except ModuleNotFoundError:
        raise StartupRefused("the prompts folder is missing; install lyrox again") from None


def _read(file: Traversable) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise StartupRefused(
            f"prompt file {file} is missing; restore it or install lyrox again"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise StartupRefused(f"prompt file {file} cannot be read: {error}") from None


def _text(file: Traversable) -> str:
    text = _read(file)
    _check_slots(file, file.name, text)
    return text


def _table(file: Traversable) -> dict[str, Any]:
    try:
        return tomllib.loads(_read(file))
    except tomllib.TOMLDecodeError as error:
        raise StartupRefused(f"prompt file {file} is not valid TOML: {error}") from None


def _checked(kind: type[Texts], raw: object, file: Traversable) -> Texts:
    table = raw if isinstance(raw, dict) else {}
    names = {field.name for field in fields(kind)}
    for name in sorted(names ^ table.keys()):
        problem = "lacks the text" if name in names else "has the unknown text"
        raise StartupRefused(f"prompt file {file} {problem} {name}")
    for name, text in table.items():
        _check_slots(file, name, text)
    return kind(**{name: text.strip() for name, text in table.items()})


def _check_slots(file: Traversable, name: str, text: object) -> None:
    wanted = _SLOTS.get(name, frozenset())
    if isinstance(text, str) and text.strip() and _slots(text) == wanted:
        return
    slots = ", ".join(f"${slot}" for slot in sorted(wanted)) or "no slot"
    where = "" if name == file.name else f" ({name})"
    raise StartupRefused(f"prompt file {file}{where} must hold text with exactly {slots}")


def _slots(text: str) -> frozenset[str]:
    template = Template(text)
    return frozenset(template.get_identifiers() if template.is_valid() else {"$"})
