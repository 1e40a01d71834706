"""Immutable values that travel between the rooms."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from models.manner import UNSAID, Manner


class Channel(StrEnum):
    """Where a message came from and where its answer must go."""

    WHATSAPP = "whatsapp"
    TERMINAL = "terminal"


class Kind(StrEnum):
    """What a message carries: words, a file, a thing described in words, or a sign.

    EDIT and REVOKE change an earlier message; HANG_UP is the end of a CALL and no message of its
    own; OTHER is what no reader knows.
    """

    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    DOCUMENT = "document"
    STICKER = "sticker"
    LOCATION = "location"
    CONTACT = "contact"
    POLL = "poll"
    VOTE = "vote"
    ORDER = "order"
    PRODUCT = "product"
    INVITE = "invite"
    EVENT = "event"
    CALL = "call"
    HANG_UP = "hang_up"
    REACTION = "reaction"
    EDIT = "edit"
    REVOKE = "revoke"
    OTHER = "other"


class Sender(StrEnum):
    """Who wrote a line; the words are the conversation document's."""

    CUSTOMER = "customer"
    AGENT = "agent"
    OWNER = "owner"


class Stage(StrEnum):
    """How far a customer has come; the words are the document's."""

    LEAD = "lead"
    QUALIFIED = "qualified"
    CUSTOMER = "customer"
    CHURNED = "churned"


@dataclass(frozen=True, slots=True)
class Address:
    """A WhatsApp person: phone digits, LID digits, or both (never neither)."""

    phone: str | None = None
    lid: str | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """What a message answers: its id, and its words as the writer's phone shows them."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class MediaRef:
    """Where a file lies sealed on WhatsApp's media host, and what its sender says of it.

    ``size`` is the plain file's, in bytes; ``seconds`` the length of sound or film; ``voice``
    a voice message, ``round_video`` a film recorded in the chat. The hashes are of the plain and
    of the sealed file; ``key`` opens it.
    """

    kind: Kind
    mime: str
    size: int
    path: str
    key: bytes
    sha256: bytes
    sealed_sha256: bytes
    seconds: int | None = None
    name: str | None = None
    voice: bool = False
    round_video: bool = False


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """One message as the wire delivered it, before anything is decided.

    ``phone`` is the value of ``customers.phone`` (``+…``, ``lid:…``, ``lidh:…`` or ``cli:…``);
    ``chat`` is the address replies go to, in the channel's own words. ``sent_at`` is the
    wire's time, not ours. ``sender`` is CUSTOMER, or OWNER for what the owner typed. ``stale``
    means too old to answer: it is kept, and its silence recorded. ``target`` is the id of the
    message that an edit, a revoke, a reaction or a vote is about; ``facts`` is what else is known,
    as JSON can hold it. A HANG_UP has a call as its ``target``, the fact ``taken``, and nobody's
    ``phone``. ``own_chat`` marks what the owner wrote to the account itself.
    """

    company_id: UUID
    wa_id: str
    channel: Channel
    sender: Sender
    phone: str
    chat: str
    text: str
    sent_at: datetime
    kind: Kind = Kind.TEXT
    lid: str | None = None
    name: str | None = None
    journal_seq: int = 0
    stale: bool = False
    quote: Quote | None = None
    media: MediaRef | None = None
    target: str | None = None
    facts: dict[str, object] = field(default_factory=dict)
    own_chat: bool = False


@dataclass(frozen=True, slots=True)
class AiMetadata:
    """The document's ``aiMetadata``: ``response_time`` in whole milliseconds, confidence 0..1."""

    model: str
    tokens_used: int
    response_time: int
    intent: str | None = None
    sentiment: str | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One message of a conversation as it is remembered.

    ``quote`` is there in a turn only; ``amends`` is the id of a line whose text this one replaces.
    ``before`` are ids of lines of the same moment that follow: WhatsApp's clock has whole seconds.
    """

    id: str
    at: datetime
    sender: Sender
    text: str
    ai: AiMetadata | None = None
    quote: Quote | None = None
    amends: str | None = None
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CustomerRef:
    """The customer of a conversation, as the conversation document names them."""

    id: UUID
    phone: str
    name: str | None = None
    stage: Stage = Stage.LEAD
    opted_out: bool = False


@dataclass(frozen=True, slots=True)
class ProductCard:
    """One active catalogue entry; ``ref`` (``P1``, ``P2``, …) is how the model names it."""

    ref: str
    id: UUID
    name: str
    description: str
    price: Decimal
    currency: str
    payment_link: str | None
    picture: str | None = None


@dataclass(frozen=True, slots=True)
class CompanyCard:
    """What a turn needs to know of the company."""

    id: UUID
    name: str
    brand_personality: str
    system_prompt: str | None
    products: tuple[ProductCard, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer in the making: the customer's waiting messages and all that they need.

    ``attempt`` grows whenever the turn is taken up again; ``tries`` counts the times it was due
    and no language model answered, ``deferred`` all times that none did; ``superseded`` the times
    newer messages took the answer back.
    ``history`` ends before ``messages`` begin, oldest first.
    """

    id: UUID
    attempt: int
    tries: int
    company: CompanyCard
    customer: CustomerRef
    channel: Channel
    chat: str
    messages: tuple[Line, ...]
    kinds: tuple[Kind, ...]
    history: tuple[Line, ...] = ()
    superseded: int = 0
    deferred: int = 0
    manner: Manner = UNSAID

    @property
    def text(self) -> str:
        """All waiting text of the customer, oldest first, one message a line."""
        return "\n".join(line.text for line in self.messages if line.text.strip())


@dataclass(frozen=True, slots=True)
class Reply:
    """What a handler decided to say; ``parts`` are sent in order, one bubble each.

    ``event`` and ``event_data`` go to ``agent_logs`` beside ``message_sent`` where a handler
    has something of its own to record. ``pause_minutes`` silences the chat after the reply.
    ``picture`` is where the picture above the first part is.
    """

    parts: tuple[str, ...]
    handler: str
    ai: AiMetadata | None = None
    stage: Stage | None = None
    pause_minutes: int | None = None
    pause_reason: str | None = None
    opt_out: bool | None = None
    event: str | None = None
    event_data: dict[str, object] = field(default_factory=dict)
    picture: str | None = None


@dataclass(frozen=True, slots=True)
class Silence:
    """A handler's recorded decision to say nothing."""

    reason: str
    handler: str
