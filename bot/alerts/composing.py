"""An alert as its owner reads it; made at each try, so that a link in it is a fresh one."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from bot.alerts.kinds import REMIND, TRAITS, Kind
from bot.alerts.machine_words import CAUSE
from bot.alerts.words import GOOD_FOR, NAMELESS, PAIRING, STILL, SUSPENDED, TEST, UNTIL, WHY, WORDS
from bot.config import Settings
from bot.pairing.links import LIFE
from bot.whatsapp.reasons import Reason
from bot.whatsapp.states import State
from models.alert_settings import Addressee
from models.text import one_line

BEGUN, AGAIN, ENDED = "alert.begun", "alert.repeated", "alert.ended"
TEST_ALERT = "alert.test"

LinkTo = Callable[[UUID], str | None]
"""A link to a company's pairing page; None where there is no such page."""


@dataclass(frozen=True, slots=True)
class Composed:
    """What an owner reads: a line for the subject, and the text."""

    title: str
    text: str
    link: str | None = None


def compose(
    type_: str, payload: Mapping[str, Any], company: Addressee, settings: Settings, link: LinkTo
) -> Composed:
    """The words of one alert, in the company's language and time zone."""
    language = language_of(company, settings)
    if type_ == TEST_ALERT:
        title, text = TEST[language]
        return Composed(title, text.format(company=one_line(company.name, 60)))
    kind = Kind(payload["kind"])
    words = WORDS[kind, language]
    slots = _slots(payload, company, settings)
    if type_ == ENDED:
        text = words.over.format_map(slots)
        return Composed(text, text)
    pairs = _pairs(kind, payload["facts"])
    url = link(company.company_id) if pairs else None
    lines = [
        words.what.format_map(slots),
        STILL[language].format_map(slots) if type_ == AGAIN else "",
        words.means.format_map(slots),
        words.next.format_map(slots),
        *(_pairing(language, url, slots) if pairs else ()),
    ]
    text = "\n".join(line for line in lines if line)
    return Composed(words.title.format_map(slots), text, url)


def language_of(company: Addressee, settings: Settings) -> str:
    """``es`` or ``en``."""
    return company.language or settings.alerts.language


def zone_of(company: Addressee, settings: Settings) -> str:
    """The name of the time zone by whose clocks its owner lives."""
    return company.time_zone or settings.alerts.time_zone


def _pairs(kind: Kind, facts: Mapping[str, Any]) -> bool:
    """Whether the phone is to be paired; a suspension is waited for."""
    return TRAITS[kind].pairing and facts.get("reason") != Reason.BANNED_UNTIL


def _pairing(language: str, url: str | None, slots: Mapping[str, str]) -> tuple[str, ...]:
    here, command = PAIRING[language]
    if not url:
        return (command.format_map(slots),)
    return here, url, GOOD_FOR[language].format_map(slots)


def _slots(payload: Mapping[str, Any], company: Addressee, settings: Settings) -> dict[str, str]:
    language, facts = language_of(company, settings), payload["facts"]
    zone = ZoneInfo(zone_of(company, settings))
    product, customer = facts.get("product") or {}, _customer(facts)
    return {
        "slug": company.slug,
        "minutes": f"{LIFE // timedelta(minutes=1)}",
        "remind": f"{REMIND // timedelta(hours=1)}",
        "hours": f"{settings.whatsapp.max_age_hours:g}",
        "began": _clock(payload["began"], zone, "%Y-%m-%d %H:%M"),
        "until": _until(facts.get("until"), payload["at"], zone, language),
        "count": str(facts.get("count", 1)),
        "customer": customer or NAMELESS[language],
        "Customer": customer or NAMELESS[language].capitalize(),
        "why": WHY[language].get(str(facts.get("reason")), ""),
        "product": one_line(str(product.get("name", "")), 60),
        "product_id": shlex.quote(str(product.get("id", ""))),
        "state": _state(facts, zone, language),
        "events": str(facts.get("events", "")),
        "free": str(facts.get("free", "")),
        "cause": CAUSE[language].get(str(facts.get("why")), ""),
    }


def _customer(facts: Mapping[str, Any]) -> str:
    name = one_line(str(facts.get("name") or ""), 60)
    phone = str(facts.get("phone") or "")
    shown = phone if phone.startswith("+") else ""
    if name and shown:
        return f"{name} ({shown})"
    return name or shown


def _state(facts: Mapping[str, Any], zone: ZoneInfo, language: str) -> str:
    """WhatsApp's own sentence, where the incident is about a session."""
    reason = str(facts.get("reason"))
    if reason not in {known.value for known in Reason}:
        return ""
    sentence = State(Reason(reason), str(facts.get("detail") or "")).sentence(language)
    if reason != Reason.BANNED_UNTIL:
        return sentence
    return f"{sentence} {_clock(facts.get('until'), zone, SUSPENDED[language])}".strip()


def _until(moment: object, told: str, zone: ZoneInfo, language: str) -> str:
    """With its date, where that is not the one on which it is told."""
    today, other_day = UNTIL[language]
    is_today = _clock(moment, zone, "%Y-%m-%d") == _clock(told, zone, "%Y-%m-%d")
    return _clock(moment, zone, today if is_today else other_day)


def _clock(moment: object, zone: ZoneInfo, shape: str) -> str:
    if not isinstance(moment, str):
        return ""
    return datetime.fromisoformat(moment).astimezone(zone).strftime(shape)
