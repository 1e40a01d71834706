"""Raw message events become ``InboundMessage`` values, or a reason why they are none of ours."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from bot.whatsapp.identity import LID_SERVERS, PHONE_SERVERS, address_of, customer_phone, jid_text
from bot.whatsapp.library import Protos
from models.values import Address, Channel, InboundMessage, Kind, Sender

MESSAGE = 17

# What a message may carry, in the order in which it is looked for: the field, its kind, and
# where the person's own words are.
_CONTENT: tuple[tuple[str, Kind, str], ...] = (
    ("conversation", Kind.TEXT, ""),
    ("extendedTextMessage", Kind.TEXT, "text"),
    ("imageMessage", Kind.IMAGE, "caption"),
    ("videoMessage", Kind.VIDEO, "caption"),
    ("ptvMessage", Kind.VIDEO, "caption"),
    ("audioMessage", Kind.AUDIO, ""),
    ("documentMessage", Kind.DOCUMENT, "caption"),
    ("stickerMessage", Kind.STICKER, ""),
    ("lottieStickerMessage", Kind.STICKER, ""),
    ("locationMessage", Kind.LOCATION, ""),
    ("liveLocationMessage", Kind.LOCATION, "caption"),
    ("contactMessage", Kind.CONTACT, ""),
    ("contactsArrayMessage", Kind.CONTACT, ""),
    ("buttonsResponseMessage", Kind.TEXT, "selectedDisplayText"),
    ("listResponseMessage", Kind.TEXT, "title"),
    ("templateButtonReplyMessage", Kind.TEXT, "selectedDisplayText"),
    ("interactiveResponseMessage", Kind.TEXT, "body.text"),
    ("pollCreationMessage", Kind.OTHER, ""),
    ("pollCreationMessageV2", Kind.OTHER, ""),
    ("pollCreationMessageV3", Kind.OTHER, ""),
    ("pollUpdateMessage", Kind.OTHER, ""),
    ("orderMessage", Kind.OTHER, ""),
    ("productMessage", Kind.OTHER, ""),
    ("groupInviteMessage", Kind.OTHER, "caption"),
    ("eventMessage", Kind.OTHER, ""),
)


@dataclass(frozen=True, slots=True)
class Ignored:
    """A message that is not a person's to this company; the word is for the metric and log."""

    reason: str


@dataclass(frozen=True, slots=True)
class Horizon:
    """How far back an answer still makes sense: never before the pairing, never too old."""

    paired_at: datetime | None
    max_age: timedelta

    def hides(self, sent_at: datetime, now: datetime) -> bool:
        """Whether a message of *sent_at* is only kept, not answered."""
        before = self.paired_at is not None and sent_at < self.paired_at
        return before or now - sent_at > self.max_age


class MessageReader:
    """Reads one company's message events; holds no state, so a replay reads the same."""

    def __init__(self, company_id: UUID, protos: Protos, horizon: Horizon) -> None:
        self._company_id = company_id
        self._protos = protos
        self._horizon = horizon

    def chats(self, raw: bytes) -> tuple[str, ...]:
        """Every address of the event's chat; the owner's hand is in all of them."""
        event = self._event(raw)
        if event is None:
            return ()
        source = event.Info.MessageSource
        other = source.RecipientAlt if source.IsFromMe else source.SenderAlt
        return tuple(jid_text(jid) for jid in (source.Chat, other) if not jid.IsEmpty)

    def read(self, raw: bytes, *, seq: int, now: datetime) -> InboundMessage | Ignored:
        """The message in the event, or why there is none for us."""
        event = self._event(raw)
        if event is None or not event.Info.ID:
            return Ignored("unreadable")
        content = self._content(event)
        if isinstance(content, Ignored):
            return content
        person = self._person(event)
        if isinstance(person, Ignored):
            return person
        return self._message(event, person, content, seq=seq, now=now)

    def _message(
        self, event: Any, person: Address, content: tuple[Kind, str], *, seq: int, now: datetime
    ) -> InboundMessage:
        info = event.Info
        own = info.MessageSource.IsFromMe
        sent_at = datetime.fromtimestamp(info.Timestamp / 1000, UTC)
        kind, text = content
        return InboundMessage(
            company_id=self._company_id,
            wa_id=_clean(info.ID),
            channel=Channel.WHATSAPP,
            sender=Sender.OWNER if own else Sender.CUSTOMER,
            phone=customer_phone(person),
            chat=jid_text(info.MessageSource.Chat),
            text=text,
            sent_at=sent_at,
            kind=kind,
            lid=person.lid,
            name=None if own else _clean(info.Pushname).strip() or None,
            journal_seq=seq,
            stale=self._horizon.hides(sent_at, now),
        )

    def _event(self, raw: bytes) -> Any:
        try:
            return self._protos.events.Message.FromString(raw)
        except self._protos.broken:
            return None

    def _person(self, event: Any) -> Address | Ignored:
        source = event.Info.MessageSource
        chat = source.Chat
        if source.IsGroup or chat.Server not in PHONE_SERVERS | LID_SERVERS:
            return Ignored("not_one_to_one")
        if source.IsFromMe and chat.User == source.Sender.User:
            return Ignored("note_to_self")
        other = source.RecipientAlt if source.IsFromMe else source.SenderAlt
        return address_of((chat, other)) or Ignored("no_person")

    def _content(self, event: Any) -> tuple[Kind, str] | Ignored:
        message = event.Message
        if event.Info.Category == "peer" or message.HasField("protocolMessage"):
            return Ignored("protocol")
        if event.IsEdit or event.Info.Edit:
            return Ignored("edit")
        fields = {descriptor.name for descriptor, _ in message.ListFields()}
        for name, kind, path in _CONTENT:
            if name in fields:
                return _kept(kind, _text(message, name, path))
        return Ignored("reaction" if "reactionMessage" in fields else "empty")


def _text(message: Any, name: str, path: str) -> str:
    value = getattr(message, name)
    for step in filter(None, path.split(".")):
        value = getattr(value, step)
    return _clean(value) if isinstance(value, str | bytes) else ""


def _kept(kind: Kind, text: str) -> tuple[Kind, str] | Ignored:
    return Ignored("empty") if kind is Kind.TEXT and not text.strip() else (kind, text)


def _clean(text: str | bytes) -> str:
    """WhatsApp can carry NUL, which PostgreSQL cannot hold, and bytes that are no text."""
    whole = text.decode(errors="replace") if isinstance(text, bytes) else text
    return whole.replace("\x00", "")
