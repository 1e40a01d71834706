"""The conversation document: its names and types, and the changes it goes through."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from models.ai_metadata import ai_document, ai_metadata
from models.errors import GiveUp
from models.text import clean
from models.values import AiMetadata, CustomerRef, Line, Sender, Stage

Document = dict[str, Any]

DUPLICATE = 11000
MOST_LIVING = 500
"""So many lines a document holds; beyond it the oldest move to the archive."""
TOO_LONG = f"messages.{MOST_LIVING}.id"
"""A field that only a document with more lines has."""
_LONG_ONES = {"name": "too_long", "partialFilterExpression": {TOO_LONG: {"$exists": True}}}
INDEXES: tuple[tuple[list[tuple[str, int]], Document], ...] = (
    ([("companyId", 1), ("customerId", 1)], {}),
    ([("companyId", 1), ("customerPhone", 1)], {"unique": True}),
    ([("companyId", 1), ("lastInteraction", -1)], {}),
    ([("companyId", 1), ("stage", 1)], {}),
    ([("companyId", 1)], _LONG_ONES),
)
ARCHIVE_INDEXES: tuple[tuple[list[tuple[str, int]], Document], ...] = (
    ([("companyId", 1), ("messageId", 1)], {"unique": True}),
    ([("companyId", 1), ("customerId", 1), ("timestamp", 1)], {}),
)
COLLIDED = {"$expr": {"$ne": ["$messageId", "$id"]}}
"""Archived lines whose id another customer's line has too."""
PHONE_FREED: list[Document] = [{"$set": {"customerPhone": {"$concat": ["former:", "$customerId"]}}}]


@dataclass(frozen=True, slots=True)
class Summary:
    """What a conversation came to, in the document's words."""

    key_points: tuple[str, ...]
    recommended_action: str
    sentiment: str


def opening(customer: CustomerRef, now: datetime, stage: Stage | None) -> Document:
    """The change that makes a document where there is none; phone and name follow the customer."""
    changed: Document = {"customerPhone": clean(customer.phone)}
    made: Document = {"customerId": str(customer.id)}
    if customer.name is None:
        made["customerName"] = None
    else:
        changed["customerName"] = clean(customer.name)
    made |= {"messages": [], "messageCount": 0, "tags": [], "createdAt": now}
    if stage is None:
        made["stage"] = customer.stage.value
    else:
        changed |= {"stage": stage.value, "updatedAt": now}
    return {"$set": changed, "$setOnInsert": made}


def addition(line: Line, now: datetime) -> Document:
    """The change that adds *line* to a document that does not hold it."""
    return {
        "$push": {"messages": to_document(line)},
        "$inc": {"messageCount": 1},
        "$max": {"lastInteraction": line.at},
        "$set": {"updatedAt": now},
    }


def joint_addition(
    customer: CustomerRef, lines: Sequence[Line], now: datetime, stage: Stage | None
) -> Document:
    """The change that adds *lines* to a document that holds none of them, or makes it with them."""
    change = opening(customer, now, stage)
    for pushed in ("messages", "messageCount"):
        del change["$setOnInsert"][pushed]
    change["$set"]["updatedAt"] = now
    change["$push"] = {"messages": {"$each": [to_document(line) for line in lines]}}
    change["$inc"] = {"messageCount": len(lines)}
    change["$max"] = {"lastInteraction": max(line.at for line in lines)}
    return change


def amendment(key: Document, line: Line, now: datetime) -> tuple[Document, Document]:
    """Which document, and the change that gives an earlier line of it the text of *line*."""
    changed = {"messages.$.content": clean(line.text), "updatedAt": now}
    return key | {"messages.id": clean(line.amends or "")}, {"$set": changed}


def insertion(line: Line, now: datetime) -> list[Document]:
    """The change that adds a *line* that comes late: behind those said before it or at its time.

    Those of its time that are known to follow stay behind it.
    """
    follows: Document = {
        "$or": [
            {"$gt": ["$$this.timestamp", line.at]},
            {
                "$and": [
                    {"$eq": ["$$this.timestamp", line.at]},
                    {"$in": ["$$this.id", {"$literal": [clean(one) for one in line.before]}]},
                ]
            },
        ]
    }
    return [
        {
            "$set": {
                "messages": {
                    "$concatArrays": [
                        _those({"$not": [follows]}),
                        [{"$literal": to_document(line)}],
                        _those(follows),
                    ]
                },
                "messageCount": {"$add": ["$messageCount", 1]},
                "lastInteraction": {"$max": ["$lastInteraction", line.at]},
                "updatedAt": now,
            }
        }
    ]


def _those(which: Document) -> Document:
    return {"$filter": {"input": "$messages", "cond": which}}


def other_holder(company_id: UUID, customer: CustomerRef) -> Document:
    """Finds the document of somebody else that still bears *customer*'s phone."""
    return {
        "companyId": str(company_id),
        "customerPhone": clean(customer.phone),
        "customerId": {"$ne": str(customer.id)},
    }


def inheritance(former: Document) -> list[tuple[Document, Document]]:
    """What else of a *former* document goes into its heir: under which condition, which change."""
    shared: Document = {"$addToSet": {"tags": {"$each": former.get("tags") or []}}}
    if begun := former.get("createdAt"):
        shared["$min"] = {"createdAt": begun}
    changes: list[tuple[Document, Document]] = [({}, shared)]
    if summary := former.get("summary"):
        older = [{"summary": None}, {"summary.lastUpdated": {"$lt": summary["lastUpdated"]}}]
        changes.append(({"$or": older}, {"$set": {"summary": summary}}))
    return changes


def summary_document(summary: Summary, now: datetime) -> Document:
    """The summary as the document holds it."""
    return {
        "lastUpdated": now,
        "keyPoints": [clean(point) for point in summary.key_points],
        "recommendedAction": clean(summary.recommended_action),
        "sentiment": clean(summary.sentiment),
    }


def is_there(error: Document) -> bool:
    """Whether a write failed only because it would have made a document that is there already."""
    return error["code"] == DUPLICATE and "_id" in error.get("keyPattern", {})


def archived(
    company: str, customer_id: UUID, line: Document, owners: Mapping[str, str]
) -> Document:
    """A line of a document as the archive holds it; *owners* are the ids that are taken there."""
    mine, name = str(customer_id), line["id"]
    taken = owners.get(name, mine) != mine
    key = collided(name, customer_id) if taken else name
    return {"companyId": company, "customerId": mine, "messageId": key, **line}


def collided(line_id: str, customer_id: UUID) -> str:
    """The archive's key of a line whose id another customer's line has there."""
    return f"{line_id}#{customer_id}"


def to_document(line: Line) -> Document:
    """What the owner typed is outgoing too; metadata that nobody knows is left out."""
    incoming = line.sender is Sender.CUSTOMER
    document: Document = {
        "id": clean(line.id),
        "timestamp": line.at,
        "direction": "incoming" if incoming else "outgoing",
        "sender": line.sender.value,
        "content": clean(line.text),
    }
    if line.ai is not None:
        document["aiMetadata"] = _metadata(line.ai)
    return document


def from_document(document: Mapping[str, Any]) -> Line:
    """The line again, its time cut to the milliseconds that BSON keeps."""
    ai = document.get("aiMetadata")
    at: datetime = document["timestamp"]
    return Line(
        id=document["id"],
        at=at,
        sender=Sender(document["sender"]),
        text=document["content"],
        ai=ai_metadata(ai or None),
    )


def lines_of(document: Mapping[str, Any]) -> list[Line]:
    """All lines of a document, or of a part of it; GiveUp where another program's is among them."""
    try:
        return [from_document(line) for line in document["messages"]]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise GiveUp(f"what is no line of ours is in a conversation: {error!r}") from None


def _metadata(ai: AiMetadata) -> Document:
    return {
        name: clean(value) if isinstance(value, str) else value
        for name, value in ai_document(ai).items()
    }
