"""Conversations: one document per company and customer, remembered line by line."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from models import conversation_document as shape
from models.conversation_archive import Archive
from models.conversation_document import Document, Summary
from models.errors import RetryLater, StartupRefused, Unavailable
from models.mongo import Bulk, Collections, Reach, Write, document_key, make_indexes, opened, write
from models.refusals import TOO_LARGE, Refused
from models.text import clean
from models.values import CustomerRef, Line, Stage

log = logging.getLogger(__name__)
UNITED_AT_ONCE = 100
_PLAIN_PHONE_INDEX = "companyId_1_customerPhone_1"


class Conversations:
    """Appends to conversation documents and reads their ends; every call names its company.

    All calls raise RetryLater when MongoDB does not answer in time, at once while it is
    known to be away; GiveUp for what it can never keep, or what is no line of ours.
    """

    def __init__(self, collections: Collections) -> None:
        self._collection = collections.conversations
        self._reach = Reach()
        self._bulk = Bulk(self._collection, self._reach)
        self.archive = Archive(collections, self._reach)
        """Where the oldest lines of long conversations are."""

    @property
    def failures(self) -> int:
        """How many calls MongoDB did not do since the start, for the metrics."""
        return self._reach.failures

    async def append(
        self,
        company_id: UUID,
        customer: CustomerRef,
        lines: Sequence[Line],
        *,
        stage: Stage | None = None,
        late: bool = False,
    ) -> None:
        """Remember *lines*, each id once however often it comes.

        All new ones take one round trip; two are needed where one of them is there already.

        Lines that come *late*, after others that were said later, go where they belong; those
        that are in the archive by now do not come back.

        Makes the document where there is none, and keeps the customer's phone and name as
        given. ``customer.stage`` is for a new document only; *stage* moves an old one too.
        """
        if not lines:
            return
        if not late and await self._join(company_id, customer, lines, stage):
            return
        for _ in range(3):
            moved = await self.archive.moved(company_id, customer.id) if late else None
            writes = await self._writes(company_id, customer, lines, stage, moved=moved)
            if refused := await self._write(writes):
                await self._make_room(company_id, customer, refused)
            elif moved is None or moved == await self.archive.moved(company_id, customer.id):
                return
        raise RetryLater(f"MongoDB does not take the lines of customer {customer.id}")

    async def last(self, company_id: UUID, customer_id: UUID, count: int = 20) -> list[Line]:
        """The newest *count* lines, oldest first; the others never leave the server."""
        if count < 1:
            return []
        key = document_key(company_id, customer_id)
        newest: Document = {"_id": 0, "messages": {"$slice": ["$messages", -count]}}
        found = await self._reach.ask(lambda: self._collection.find_one(key, newest))
        return shape.lines_of(found) if found else []

    async def set_stage(self, company_id: UUID, customer_id: UUID, stage: Stage) -> bool:
        """Whether there is such a conversation, now at *stage*."""
        return await self._set(company_id, customer_id, {"stage": stage.value})

    async def set_tags(self, company_id: UUID, customer_id: UUID, tags: Sequence[str]) -> bool:
        """Replace the tags; whether there is such a conversation."""
        distinct = list(dict.fromkeys(clean(tag) for tag in tags))
        return await self._set(company_id, customer_id, {"tags": distinct})

    async def summarise(self, company_id: UUID, customer_id: UUID, summary: Summary) -> bool:
        """Replace the summary; whether there is such a conversation."""
        written = shape.summary_document(summary, _now())
        return await self._set(company_id, customer_id, {"summary": written})

    async def unite(self, company_id: UUID, former: UUID, customer: CustomerRef) -> bool:
        """Move all that *former*'s document and archive hold into *customer*'s, and end them.

        Each line is there once, in the order of time; the newer summary, the tags of both and
        *customer*'s stage stay. May be repeated after it was broken off anywhere. False when
        somebody wrote to the former document meanwhile: then it must be.
        """
        key = document_key(company_id, former)
        found = await self._reach.ask(lambda: self._collection.find_one(key, {}))
        await self._inherit(company_id, former, customer)
        if found is None:
            return True
        lines = shape.lines_of(found)
        for start in range(0, len(lines), UNITED_AT_ONCE):
            some = lines[start : start + UNITED_AT_ONCE]
            await self.append(company_id, customer, some, stage=customer.stage, late=True)
        heir = document_key(company_id, customer.id)
        for which, change in shape.inheritance(found):
            await self._change(heir | which, change)
        unchanged = key | {name: found.get(name) for name in ("messageCount", "archivedCount")}
        ended = await self._reach.ask(lambda: self._collection.delete_one(unchanged))
        await self._inherit(company_id, former, customer)
        return bool(ended.deleted_count)

    async def _inherit(self, company_id: UUID, former: UUID, customer: CustomerRef) -> None:
        """The former's archive is the customer's; after a break nobody knows whether it counts."""
        if await self.archive.inherit(company_id, former, customer.id):
            await self._open(company_id, customer)
            await self.archive.recount(company_id, customer.id)

    async def _open(self, company_id: UUID, customer: CustomerRef) -> None:
        key = document_key(company_id, customer.id)
        opening = write(key, shape.opening(customer, _now(), None), upsert=True)
        if refused := await self._write([opening]):
            await self._make_room(company_id, customer, refused)
            await self._write([opening])

    async def ensure_indexes(self) -> None:
        """Make the documents' indexes; a plain phone index becomes the unique one."""
        await make_indexes(
            self._reach, self._collection, shape.INDEXES, replacing=_PLAIN_PHONE_INDEX
        )
        await self.archive.ensure_indexes()

    async def _join(
        self, company_id: UUID, customer: CustomerRef, lines: Sequence[Line], stage: Stage | None
    ) -> bool:
        """Add *lines* by one change, half of mongod's work; False when they need a closer look.

        So it is where one of them is there already: it would make the document again.
        """
        ids = {clean(line.id) for line in lines}
        if len(ids) < len(lines) or any(line.amends is not None for line in lines):
            return False
        without = document_key(company_id, customer.id) | {"messages.id": {"$nin": list(ids)}}
        change = shape.joint_addition(customer, lines, _now(), stage)
        return not await self._bulk.write([write(without, change, upsert=True)])

    async def _writes(
        self,
        company_id: UUID,
        customer: CustomerRef,
        lines: Sequence[Line],
        stage: Stage | None,
        *,
        moved: int | None,
    ) -> list[Write]:
        """What adds *lines*; *moved* is there for late ones: how many the archive had before."""
        now, key = _now(), document_key(company_id, customer.id)
        writes = [write(key, shape.opening(customer, now, stage), upsert=True)]
        kept: frozenset[str] = frozenset()
        if moved:
            kept = await self.archive.among(company_id, customer.id, [line.id for line in lines])
        unmoved = {} if moved is None else {"archivedCount": moved or None}
        change = shape.addition if moved is None else shape.insertion
        for line in lines:
            if line.amends is not None:
                writes.append(write(*shape.amendment(key, line, now)))
            elif (name := clean(line.id)) not in kept:
                without = key | unmoved | {"messages.id": {"$ne": name}}
                writes.append(write(without, change(line, now)))
        return writes

    async def _write(self, writes: Sequence[Write]) -> Sequence[Document]:
        """The errors that somebody must make room for."""
        errors = await self._bulk.write(writes)
        return [error for error in errors if not shape.is_there(error)]

    async def _make_room(
        self, company_id: UUID, customer: CustomerRef, errors: Sequence[Document]
    ) -> None:
        for code, error in {error["code"]: error for error in errors}.items():
            if code == shape.DUPLICATE:
                # PostgreSQL has given the number to this customer: the other one is history.
                await self._change(shape.other_holder(company_id, customer), shape.PHONE_FREED)
            elif code in TOO_LARGE:
                log.warning("a full conversation: its older half goes", extra={"id": customer.id})
                await self.archive.take_half(company_id, customer.id)
            else:
                raise RetryLater(f"MongoDB refused a line: {error.get('errmsg', code)}")

    async def _change(self, which: Document, change: Any) -> bool:
        done = await self._reach.ask(lambda: self._collection.update_one(which, change))
        return bool(done.matched_count)

    async def _set(self, company_id: UUID, customer_id: UUID, values: Document) -> bool:
        change = {"$set": values | {"updatedAt": _now()}}
        return await self._change(document_key(company_id, customer_id), change)


@asynccontextmanager
async def open_conversations(url: str, database: str) -> AsyncIterator[Conversations]:
    """Connect, make the indexes, and close at the end.

    Raises Unavailable when the server does not answer, StartupRefused when it never will.
    """
    async with opened(url, database) as collections:
        conversations = Conversations(collections)
        await _check(conversations)
        yield conversations


async def _check(conversations: Conversations) -> None:
    try:
        await conversations.ensure_indexes()
    except Refused as refused:
        raise StartupRefused(f"stores.mongo: {refused}: check its user, rights and data") from None
    except RetryLater as error:
        raise Unavailable(f"stores.mongo: {error}: start it or correct the URL") from None


def _now() -> datetime:
    return datetime.now(UTC)
