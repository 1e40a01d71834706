"""How each kind of content is read: the person's words, or words of ours for what has none.

Everything here is what a stranger's program wrote, so nothing is trusted: texts lose what no
store can keep, and lists and lengths are bounded.
"""

import base64
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bot.whatsapp.media_refs import media_ref
from bot.whatsapp.wire_text import FACT, tidy
from models.values import Kind, MediaRef, Quote

MANY = 12
"""The most entries of a list among them."""

_TEXT = 70_000  # WhatsApp takes 65,536.

_MEDIA = {
    "imageMessage": Kind.IMAGE,
    "videoMessage": Kind.VIDEO,
    "ptvMessage": Kind.VIDEO,
    "audioMessage": Kind.AUDIO,
    "documentMessage": Kind.DOCUMENT,
    "stickerMessage": Kind.STICKER,
}
_POLLS = tuple(f"pollCreationMessage{version}" for version in ("", "V2", "V3", "V5", "V6"))


@dataclass(frozen=True, slots=True)
class Content:
    """One message's content; ``target`` is the message that this one is about."""

    kind: Kind
    text: str = ""
    facts: dict[str, object] = field(default_factory=dict)
    media: MediaRef | None = None
    quote: Quote | None = None
    target: str | None = None


def _words(*path: str) -> Callable[[Any], Content]:
    def read(body: Any) -> Content:
        for step in path:
            body = getattr(body, step)
        return Content(Kind.TEXT, tidy(body, _TEXT))

    return read


def _choice(words: str, chosen: Callable[[Any], object]) -> Callable[[Any], Content]:
    """A press on a button or a row: what it said, and its id."""

    def read(body: Any) -> Content:
        said, choice = _words(*words.split("."))(body).text, tidy(chosen(body))
        return Content(Kind.TEXT, said or choice, {"chosen": choice})

    return read


def _file(name: str, kind: Kind) -> Callable[[Any], Content]:
    def read(body: Any) -> Content:
        caption = tidy(body.caption, _TEXT) if "caption" in body.DESCRIPTOR.fields_by_name else ""
        return Content(kind, caption, media=media_ref(kind, body, round_video=name == "ptvMessage"))

    return read


def _location(body: Any) -> Content:
    facts, where = _place(body)
    facts |= {"name": tidy(body.name), "address": tidy(body.address)}
    return Content(Kind.LOCATION, _line("📍", tidy(body.name), tidy(body.address), where), facts)


def _live_location(body: Any) -> Content:
    facts, where = _place(body)
    return Content(Kind.LOCATION, _line("📍", tidy(body.caption), where), facts | {"live": True})


def _place(body: Any) -> tuple[dict[str, object], str]:
    """Where it is, as JSON can hold it (which has no infinity), and in words."""
    degrees = [
        value if math.isfinite(value) else 0.0
        for value in (body.degreesLatitude, body.degreesLongitude)
    ]
    facts: dict[str, object] = dict(zip(("latitude", "longitude"), degrees, strict=True))
    return facts, ", ".join(f"{value:.5f}" for value in degrees)


def _contacts(cards: Sequence[Any]) -> Content:
    people = [{"name": tidy(one.displayName), "vcard": tidy(one.vcard, 4 * FACT)} for one in cards]
    lines = [_line("👤", one["name"], *_numbers(one["vcard"])) for one in people]
    return Content(Kind.CONTACT, "\n".join(lines), {"contacts": people})


def _numbers(vcard: str) -> list[str]:
    found = [line.rpartition(":")[2].strip() for line in vcard.splitlines() if "TEL" in line[:12]]
    return found[:3]


def _poll(body: Any) -> Content:
    options = [tidy(option.optionName, 200) for option in body.options[:MANY]]
    facts: dict[str, object] = {"question": tidy(body.name), "options": options}
    return Content(Kind.POLL, _line("📊", tidy(body.name), " / ".join(options)), facts)


def _vote(body: Any) -> Content:
    """A vote stays sealed.

    Its poll's secret opens it, and gives hashes of the options. We send no polls; where the owner
    has sent one, the chat is theirs.
    """
    sealed = {"payload": body.vote.encPayload[:FACT], "iv": body.vote.encIV[:FACT]}
    facts = {name: base64.b64encode(value).decode() for name, value in sealed.items()}
    return Content(Kind.VOTE, facts=dict(facts), target=tidy(body.pollCreationMessageKey.ID, 200))


def _order(body: Any) -> Content:
    total = _money(body.totalAmount1000, body.totalCurrencyCode)
    title, note = tidy(body.orderTitle), tidy(body.message)
    facts: dict[str, object] = {
        "order": tidy(body.orderID),
        "items": body.itemCount,
        "total": total,
    }
    return Content(Kind.ORDER, _line("🛒", title, f"× {body.itemCount}", total, note), facts)


def _product(body: Any) -> Content:
    thing = body.product
    price = _money(thing.priceAmount1000, thing.currencyCode)
    facts: dict[str, object] = {"product": tidy(thing.productID), "price": price}
    facts |= {"retailer_id": tidy(thing.retailerID)}
    return Content(Kind.PRODUCT, _line("🏷️", tidy(thing.title), price, tidy(body.body)), facts)


def _invite(body: Any) -> Content:
    facts: dict[str, object] = {"group": tidy(body.groupJID), "name": tidy(body.groupName)}
    return Content(Kind.INVITE, _line("👥", tidy(body.groupName), tidy(body.caption)), facts)


def _event(body: Any) -> Content:
    facts: dict[str, object] = {"name": tidy(body.name), "starts": body.startTime}
    try:
        starts = f"{datetime.fromtimestamp(body.startTime, UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, OSError, ValueError):
        starts = ""
    return Content(Kind.EVENT, _line("📅", tidy(body.name), starts, tidy(body.description)), facts)


def _reaction(body: Any) -> Content:
    return Content(Kind.REACTION, tidy(body.text, 40), target=tidy(body.key.ID, 200))


def _money(thousandths: int, currency: str) -> str:
    if not thousandths:
        return ""
    amount = f"{thousandths / 1000:.2f}".removesuffix(".00")
    return f"{amount} {tidy(currency, 3)}".strip()


def _line(sign: str, *parts: str) -> str:
    return f"{sign} {' · '.join(part for part in parts if part)}".strip()


READERS: dict[str, Callable[[Any], Content]] = {
    "conversation": _words(),
    "extendedTextMessage": _words("text"),
    **{name: _file(name, kind) for name, kind in _MEDIA.items()},
    "locationMessage": _location,
    "liveLocationMessage": _live_location,
    "contactMessage": lambda body: _contacts([body]),
    "contactsArrayMessage": lambda body: _contacts(body.contacts[:MANY]),
    "buttonsResponseMessage": _choice("selectedDisplayText", lambda body: body.selectedButtonID),
    "listResponseMessage": _choice("title", lambda body: body.singleSelectReply.selectedRowID),
    "templateButtonReplyMessage": _choice("selectedDisplayText", lambda body: body.selectedID),
    "interactiveResponseMessage": _choice(
        "body.text", lambda body: body.nativeFlowResponseMessage.paramsJSON
    ),
    **dict.fromkeys(_POLLS, _poll),
    "pollUpdateMessage": _vote,
    "orderMessage": _order,
    "productMessage": _product,
    "groupInviteMessage": _invite,
    "eventMessage": _event,
    "reactionMessage": _reaction,
}
