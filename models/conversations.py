"""The only door to MongoDB: one document per company and customer, remembered line by line."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

from bson import ObjectId
from bson.codec_options import CodecOptions
from bson.errors import BSONError
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import IndexModel, UpdateOne, WriteConcern
from pymongo import errors as driver

from models import conversation_document as shape
from models.conversation_document import Document, Summary
from models.errors import GiveUp, RetryLater, StartupRefused, Unavailable
from models.refusals import OTHER_INDEX, TOO_LARGE, Refused
from models.text import clean
from models.values import CustomerRef, Line, Stage

log = logging.getLogger(__name__)
COLLECTION = "conversations"
CALL_SECONDS = 6.0  # Longer than any of the driver's own limits below.
REST_SECONDS = 1.0
UNITED_AT_ONCE = 100
TIMEOUTS: dict[str, Any] = {
    "serverSelectionTimeoutMS": 3000,
    "connectTimeoutMS": 3000,
    "socketTimeoutMS": 5000,
    "waitQueueTimeoutMS": 3000,
}
INDEXES = [IndexModel(keys, **options) for keys, options in shape.INDEXES]
_PLAIN_PHONE_INDEX = "companyId_1_customerPhone_1"


class Collection(Protocol):
    """The few calls we make, the same in Motor and in PyMongo's own async driver."""

    def bulk_write(self, writes: Sequence[Any], /, *, ordered: bool) -> Awaitable[Any]: ...
    def find_one(self, which: Document, projection: Document, /) -> Awaitable[Any]: ...
    def update_one(self, which: Document, update: Any, /) -> Awaitable[Any]: ...
    def delete_one(self, which: Document, /) -> Awaitable[Any]: ...
    def create_indexes(self, indexes: Sequence[IndexModel], /) -> Awaitable[Any]: ...
    def drop_index(self, name: str, /) -> Awaitable[Any]: ...


class Conversations:
    """Appends to conversation documents and reads their ends; every call names its company.

    All calls raise RetryLater when MongoDB does not answer in time, at once while it is
    known to be away; GiveUp for what it can never keep.
    """

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._resting_until = 0.0
        self.failures = 0
        """How many calls MongoDB did not do since the start, for the metrics."""

    async def append(
        self,
        company_id: UUID,
        customer: CustomerRef,
        lines: Sequence[Line],
        *,
        stage: Stage | None = None,
        late: bool = False,
    ) -> None:
        """Remember *lines*, each id once however often it comes, in one round trip.

        Lines that come *late*, after others that were said later, go where they belong.

        Makes the document where there is none, and keeps the customer's phone and name as
        given. ``customer.stage`` is for a new document only; *stage* moves an old one too.
        """
        if not lines:
            return
        writes = self._writes(company_id, customer, lines, stage, late=late)
        for _ in range(3):
            refused = await self._write(writes)
            if not refused:
                return
            await self._make_room(company_id, customer, refused)
        raise RetryLater(f"MongoDB does not take the lines of customer {customer.id}")

    async def last(self, company_id: UUID, customer_id: UUID, count: int = 20) -> list[Line]:
        """The newest *count* lines, oldest first; the others never leave the server."""
        if count < 1:
            return []
        key = _key(company_id, customer_id)
        newest: Document = {"_id": 0, "messages": {"$slice": ["$messages", -count]}}
        found = await self._call(lambda: self._collection.find_one(key, newest))
        return [shape.from_document(line) for line in found["messages"]] if found else []

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
        """Move all that *former*'s document holds into *customer*'s, and end the former one.

        Each line is there once, in the order of time; the newer summary, the tags of both and
        *customer*'s stage stay. May be repeated after it was broken off anywhere. False when
        somebody wrote to the former document meanwhile: then it must be.
        """
        key = _key(company_id, former)
        found = await self._call(lambda: self._collection.find_one(key, {}))
        if found is None:
            return True
        lines = [shape.from_document(line) for line in found["messages"]]
        for start in range(0, len(lines), UNITED_AT_ONCE):
            some = lines[start : start + UNITED_AT_ONCE]
            await self.append(company_id, customer, some, stage=customer.stage, late=True)
        heir = _key(company_id, customer.id)
        for which, change in shape.inheritance(found):
            await self._change(heir | which, change)
        unchanged = key | {"messageCount": found["messageCount"]}
        ended = await self._call(lambda: self._collection.delete_one(unchanged))
        return bool(ended.deleted_count)

    async def ensure_indexes(self) -> None:
        """Make the document's indexes; a plain phone index becomes the unique one."""
        try:
            await self._call(lambda: self._collection.create_indexes(INDEXES))
        except Refused as refused:
            if refused.code not in OTHER_INDEX:
                raise
            await self._call(lambda: self._collection.drop_index(_PLAIN_PHONE_INDEX))
            await self._call(lambda: self._collection.create_indexes(INDEXES))

    def _writes(
        self,
        company_id: UUID,
        customer: CustomerRef,
        lines: Sequence[Line],
        stage: Stage | None,
        *,
        late: bool,
    ) -> list[UpdateOne]:
        now, key = _now(), _key(company_id, customer.id)
        change = shape.insertion if late else shape.addition
        writes = [UpdateOne(key, shape.opening(customer, now, stage), upsert=True)]
        for line in lines:
            if line.amends is not None:
                writes.append(UpdateOne(*shape.amendment(key, line, now)))
                continue
            without = key | {"messages.id": {"$ne": clean(line.id)}}
            writes.append(UpdateOne(without, change(line, now)))
        return writes

    async def _write(self, writes: Sequence[UpdateOne]) -> Sequence[Document]:
        """The errors that somebody must make room for."""
        try:
            # Unordered, though the server keeps the order: where another process has just
            # made the document our first write fails, and the others must still be done.
            await self._call(lambda: self._collection.bulk_write(writes, ordered=False))
        except Refused as refused:
            if refused.unconfirmed:
                raise
            return [error for error in refused.errors if not shape.was_made_by_another(error)]
        return []

    async def _make_room(
        self, company_id: UUID, customer: CustomerRef, errors: Sequence[Document]
    ) -> None:
        for code, error in {error["code"]: error for error in errors}.items():
            if code == shape.DUPLICATE:
                # PostgreSQL has given the number to this customer: the other one is history.
                await self._change(shape.other_holder(company_id, customer), shape.PHONE_FREED)
            elif code in TOO_LARGE:
                # A document holds 16 MB. The ledger has every line; messageCount stays true.
                log.warning("a full conversation loses its older half", extra={"id": customer.id})
                await self._change(_key(company_id, customer.id), shape.OLDER_HALF_DROPPED)
            else:
                raise RetryLater(f"MongoDB refused a line: {error.get('errmsg', code)}")

    async def _change(self, which: Document, change: Any) -> bool:
        done = await self._call(lambda: self._collection.update_one(which, change))
        return bool(done.matched_count)

    async def _set(self, company_id: UUID, customer_id: UUID, values: Document) -> bool:
        change = {"$set": values | {"updatedAt": _now()}}
        return await self._change(_key(company_id, customer_id), change)

    async def _call(self, call: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return await self._asked(call)
        except RetryLater as error:
            # Single writes that were refused are somebody's to repair.
            self.failures += not (isinstance(error, Refused) and error.writes_alone)
            raise

    async def _asked(self, call: Callable[[], Awaitable[Any]]) -> Any:
        clock = asyncio.get_running_loop().time
        if clock() < self._resting_until:
            raise RetryLater("MongoDB did not answer a moment ago", delay=REST_SECONDS)
        try:
            async with asyncio.timeout(CALL_SECONDS):
                return await call()
        except (driver.ConnectionFailure, TimeoutError) as error:
            self._resting_until = clock() + REST_SECONDS
            raise RetryLater(f"MongoDB does not answer: {_short(error)}") from error
        except driver.OperationFailure as error:
            raise Refused(_short(error), error.details, error.code) from error
        except (BSONError, OverflowError) as error:
            raise GiveUp(f"MongoDB can never keep this: {_short(error)}") from error
        except driver.PyMongoError as error:
            raise RetryLater(f"MongoDB: {_short(error)}") from error


@asynccontextmanager
async def open_conversations(url: str, database: str) -> AsyncIterator[Conversations]:
    """Connect, make the indexes, and close at the end.

    Raises Unavailable when the server does not answer, StartupRefused when it never will.
    """
    client = _client(url)
    try:
        conversations = Conversations(collection_in(client, database))
        await _check(conversations)
        yield conversations
    finally:
        client.close()


def collection_in(client: Any, database: str) -> Collection:
    """The collection as we want it used: acknowledged writes are on disk, times are UTC."""
    collection: Collection = client[database].get_collection(
        COLLECTION,
        codec_options=CodecOptions(tz_aware=True, tzinfo=UTC),
        write_concern=WriteConcern(w="majority", j=True, wtimeout=4000),
    )
    return collection


def _client(url: str) -> Any:
    if not url.startswith(("mongodb://", "mongodb+srv://")):  # Else it is taken for a host.
        raise StartupRefused("stores.mongo: not a usable MongoDB URL: it begins with mongodb://")
    limits = {name: value for name, value in TIMEOUTS.items() if name.lower() not in url.lower()}
    try:
        return AsyncIOMotorClient(url, appname="lyrox", **limits)
    except (driver.ConfigurationError, ValueError) as error:
        raise StartupRefused(f"stores.mongo: not a usable MongoDB URL: {_short(error)}") from None


async def _check(conversations: Conversations) -> None:
    try:
        await conversations.ensure_indexes()
    except Refused as refused:
        raise StartupRefused(f"stores.mongo: {refused}: check its user, rights and data") from None
    except RetryLater as error:
        raise Unavailable(f"stores.mongo: {error}: start it or correct the URL") from None


def _key(company_id: UUID, customer_id: UUID) -> Document:
    # The id is made from both, so that two first lines at once cannot make two documents.
    digest = hashlib.sha256(company_id.bytes + customer_id.bytes).digest()
    return {"_id": ObjectId(digest[:12]), "companyId": str(company_id)}


def _now() -> datetime:
    return datetime.now(UTC)


def _short(error: BaseException) -> str:
    return str(error).split(", Timeout:")[0].split(", full error:")[0][:200] or repr(error)
