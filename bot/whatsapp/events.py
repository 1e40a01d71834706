"""Raw message events become ``InboundMessage`` values, or a reason why they are none of ours."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from bot.owner_words import command_of
from bot.whatsapp.content_readers import Content
from bot.whatsapp.contents import change_of, content_of
from bot.whatsapp.identity import LID_SERVERS, PHONE_SERVERS, address_of, customer_phone, jid_text
from bot.whatsapp.library import Protos
from bot.whatsapp.wire_text import tidy
from models.values import Address, Channel, InboundMessage, Kind, Sender

MESSAGE, CALL_OFFER, CALL_ACCEPT, CALL_TERMINATE = 17, 36, 37, 42
CALLS = {CALL_OFFER, CALL_ACCEPT, CALL_TERMINATE}
TAKEN = "accepted_elsewhere"
"""What WhatsApp tells the other devices of an account when one of them has taken a call."""
_LAST_SECOND = 253_402_214_399  # A day before the year 10,000, wherever a server's clocks stand.

_PEOPLE = PHONE_SERVERS | LID_SERVERS

# What the owner does to a message is no word to the customer.
_SIGNS = {Kind.REACTION, Kind.EDIT, Kind.REVOKE, Kind.VOTE, Kind.OTHER}


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
        """Whether a message of *sent_at* is only kept, not answered.

        A message of the very second of the pairing came after it, for WhatsApp counts whole ones.
        A pairing that lies ahead was noted before the clock was set back: it hides nothing.
        """
        paired = self.paired_at.replace(microsecond=0) if self.paired_at else None
        before = paired is not None and sent_at < paired <= now
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

    def read_any(
        self, code: int, raw: bytes, *, seq: int, now: datetime
    ) -> InboundMessage | Ignored:
        """A kept event by the client's code for it: a message, or a call."""
        if code == CALL_OFFER:
            return self.read_call(raw, seq=seq, now=now)
        if code in CALLS:
            return self.read_call_end(raw, code=code, seq=seq, now=now)
        return self.read(raw, seq=seq, now=now)

    def read(self, raw: bytes, *, seq: int, now: datetime) -> InboundMessage | Ignored:
        """The message in the event, or why there is none for us."""
        event = self._event(raw)
        if event is None or not event.Info.ID:
            return Ignored("unreadable")
        content = self._content(event)
        if isinstance(content, Ignored):
            return content
        if event.Info.MessageSource.IsFromMe and content.kind in _SIGNS:
            return Ignored(content.kind)
        if _is_own_chat(event) and not _commands(content):
            return Ignored("note_to_self")
        person = self._person(event)
        if isinstance(person, Ignored):
            return person
        return self._message(event, person, content, seq=seq, now=now)

    def read_call(self, raw: bytes, *, seq: int, now: datetime) -> InboundMessage | Ignored:
        """The call that rings as a message without words, one for each call id."""
        try:
            call = self._protos.events.CallOffer.FromString(raw).basicCallMeta
        except self._protos.broken:
            return Ignored("unreadable")
        caller = call.callCreator
        person = address_of((caller, call.callCreatorAlt))
        if not call.callID or person is None or getattr(call, "from").Server not in _PEOPLE:
            return Ignored("no_person")
        sent_at = _moment(call.timestamp)  # Of a message it is milliseconds.
        return InboundMessage(
            company_id=self._company_id,
            wa_id=_call_id(call),
            channel=Channel.WHATSAPP,
            sender=Sender.CUSTOMER,
            phone=customer_phone(person),
            chat=jid_text(caller),
            text="",
            sent_at=sent_at,
            kind=Kind.CALL,
            lid=person.lid,
            journal_seq=seq,
            stale=self._horizon.hides(sent_at, now),
        )

    def read_call_end(
        self, raw: bytes, *, code: int, seq: int, now: datetime
    ) -> InboundMessage | Ignored:
        """How a call ended: it was taken, by the owner on a phone, or it was not."""
        kind = self._protos.events.CallAccept if code == CALL_ACCEPT else None
        try:
            end = (kind or self._protos.events.CallTerminate).FromString(raw)
        except self._protos.broken:
            return Ignored("unreadable")
        if not end.basicCallMeta.callID:
            return Ignored("no_call")
        call = _call_id(end.basicCallMeta)
        return InboundMessage(
            company_id=self._company_id,
            wa_id=f"{call}:end",
            channel=Channel.WHATSAPP,
            sender=Sender.CUSTOMER,
            phone="",
            chat="",
            text="",
            sent_at=now,
            kind=Kind.HANG_UP,
            journal_seq=seq,
            target=call,
            facts={"taken": kind is not None or end.reason == TAKEN},
        )

    def _message(
        self, event: Any, person: Address, content: Content, *, seq: int, now: datetime
    ) -> InboundMessage:
        info = event.Info
        own = info.MessageSource.IsFromMe
        sent_at = _moment(info.Timestamp / 1000)
        return InboundMessage(
            company_id=self._company_id,
            wa_id=tidy(info.ID, 150),
            channel=Channel.WHATSAPP,
            sender=Sender.OWNER if own else Sender.CUSTOMER,
            phone=customer_phone(person),
            chat=jid_text(info.MessageSource.Chat),
            text=content.text,
            sent_at=sent_at,
            kind=content.kind,
            lid=person.lid,
            name=None if own else tidy(info.Pushname).strip() or None,
            journal_seq=seq,
            stale=self._horizon.hides(sent_at, now),
            quote=content.quote,
            media=content.media,
            target=content.target,
            facts=content.facts | _flags(event),
            own_chat=_is_own_chat(event),
        )

    def _event(self, raw: bytes) -> Any:
        try:
            return self._protos.events.Message.FromString(raw)
        except self._protos.broken:
            return None

    def _person(self, event: Any) -> Address | Ignored:
        source = event.Info.MessageSource
        chat = source.Chat
        if source.IsGroup or chat.Server not in _PEOPLE:
            return Ignored("not_one_to_one")
        other = source.RecipientAlt if source.IsFromMe else source.SenderAlt
        return address_of((chat, other)) or Ignored("no_person")

    def _content(self, event: Any) -> Content | Ignored:
        message = event.Message
        if event.Info.Category == "peer":
            return Ignored("protocol")
        if message.HasField("protocolMessage"):
            return change_of(message.protocolMessage) or Ignored("protocol")
        content = content_of(message)
        if (event.IsEdit or event.Info.Edit) and (not content or content.kind is not Kind.REACTION):
            return Ignored("edit")
        if content is None or (content.kind is Kind.TEXT and not content.text.strip()):
            return Ignored("empty")
        return content


def _moment(seconds: float) -> datetime:
    """A time on the wire; what no calendar has becomes the nearest that one has."""
    return datetime.fromtimestamp(min(max(seconds, 0), _LAST_SECOND), UTC)


def _call_id(call: Any) -> str:
    return f"call:{tidy(call.callID, 100)}"


def _flags(event: Any) -> dict[str, object]:
    """How the message was wrapped; the client has taken the wrapping off."""
    once = event.IsViewOnce or event.IsViewOnceV2 or event.IsViewOnceV2Extension
    flags = {"ephemeral": event.IsEphemeral, "view_once": once}
    return {name: True for name, is_so in flags.items() if is_so}


def _is_own_chat(event: Any) -> bool:
    """Whether the account wrote this to itself; WhatsApp says who wrote it, not the message."""
    source = event.Info.MessageSource
    own = {source.Sender.User, source.SenderAlt.User} - {""}
    return bool(source.IsFromMe) and source.Chat.User in own


def _commands(content: Content) -> bool:
    return content.kind is Kind.TEXT and command_of(content.text) is not None
