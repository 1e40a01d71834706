"""The only door to MongoDB's drivers: connecting, and asking with patience."""

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Protocol
from uuid import UUID

from bson import ObjectId
from bson.codec_options import CodecOptions
from bson.errors import BSONError
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import IndexModel, UpdateOne, WriteConcern
from pymongo import errors as driver

from models.errors import GiveUp, RetryLater, StartupRefused
from models.gathering import Gathering
from models.refusals import OTHER_INDEX, Refused

CALL_SECONDS = 6.0  # Longer than any of the driver's own limits below.
REST_SECONDS = 1.0
TIMEOUTS: dict[str, Any] = {
    "serverSelectionTimeoutMS": 3000,
    "connectTimeoutMS": 3000,
    "socketTimeoutMS": 5000,
    "waitQueueTimeoutMS": 3000,
}

Document = dict[str, Any]
Index = tuple[Sequence[tuple[str, int]], Mapping[str, Any]]
Write = UpdateOne


class Cursor(Protocol):
    """What a search finds, read at once."""

    def to_list(self, length: int | None, /) -> Awaitable[list[Any]]: ...


class Collection(Protocol):
    """The few calls we make, the same in Motor and in PyMongo's own async driver."""

    def bulk_write(self, writes: Sequence[Any], /, *, ordered: bool) -> Awaitable[Any]: ...
    def count_documents(self, which: Document, /) -> Awaitable[int]: ...
    def find(self, which: Document, projection: Document, /, *, limit: int) -> Cursor: ...
    def find_one(self, which: Document, projection: Document, /) -> Awaitable[Any]: ...
    def insert_many(self, documents: Sequence[Any], /, *, ordered: bool) -> Awaitable[Any]: ...
    def update_one(self, which: Document, update: Any, /) -> Awaitable[Any]: ...
    def update_many(self, which: Document, update: Any, /) -> Awaitable[Any]: ...
    def delete_one(self, which: Document, /) -> Awaitable[Any]: ...
    def create_indexes(self, indexes: Sequence[IndexModel], /) -> Awaitable[Any]: ...
    def drop_index(self, name: str, /) -> Awaitable[Any]: ...


@dataclass(frozen=True, slots=True)
class Collections:
    """What conversations consist of: the living documents, and the lines of their past."""

    conversations: Collection
    archive: Collection


class Reach:
    """Asks MongoDB in bounded time, and not at all while it is known to be away.

    Then one call at a time finds out whether it is back, and no other waits for that.

    Raises RetryLater when it does not answer, Refused for what it did not do, GiveUp for what it
    can never keep.
    """

    def __init__(self) -> None:
        self._resting_until = 0.0
        self._away = self._probing = False
        self.failures = 0

    async def ask(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """What *call* answers."""
        try:
            return await self._asked(call)
        except RetryLater as error:
            # Single writes that were refused are somebody's to repair.
            self.failures += not (isinstance(error, Refused) and error.writes_alone)
            raise

    async def _asked(self, call: Callable[[], Awaitable[Any]]) -> Any:
        clock = asyncio.get_running_loop().time
        if clock() < self._resting_until or self._probing:
            raise RetryLater("MongoDB did not answer a moment ago", delay=REST_SECONDS)
        probing = self._probing = self._away
        try:
            async with asyncio.timeout(CALL_SECONDS):
                answer = await call()
            self._away = False
        except (driver.ConnectionFailure, TimeoutError) as error:
            self._resting_until, self._away = clock() + REST_SECONDS, True
            raise RetryLater(f"MongoDB does not answer: {_short(error)}") from error
        except driver.OperationFailure as error:
            self._away = False
            raise Refused(_short(error), error.details, error.code) from error
        except (BSONError, OverflowError) as error:
            raise GiveUp(f"MongoDB can never keep this: {_short(error)}") from error
        except driver.PyMongoError as error:
            raise RetryLater(f"MongoDB: {_short(error)}") from error
        finally:
            if probing:
                self._probing = False
        return answer


class Bulk:
    """Writes into one collection; those asked for in the same moment leave in one call."""

    def __init__(self, collection: Collection, reach: Reach) -> None:
        self._collection = collection
        self._reach = reach
        self._together = Gathering(self._write_all)

    async def write(self, writes: Sequence[Write]) -> list[Document]:
        """The errors of single writes that were refused; the others are done."""
        return await self._together.ask(writes)

    async def _write_all(
        self, asked: Sequence[Sequence[Write]]
    ) -> Sequence[list[Document] | Exception]:
        if not asked[1:]:
            return [await self._alone(asked[0])]
        errors = await self._alone([each for writes in asked for each in writes])
        if isinstance(errors, GiveUp) or not _tells_which(errors):
            # One of them spoils the call; the others can be kept.
            return [await self._alone(writes) for writes in asked]
        if isinstance(errors, Exception):
            return [errors] * len(asked)
        ends = itertools.accumulate(map(len, asked))
        return [
            [error for error in errors if end - len(writes) <= error["index"] < end]
            for writes, end in zip(asked, ends, strict=True)
        ]

    async def _alone(self, writes: Sequence[Write]) -> list[Document] | Exception:
        try:
            return await self._errors(writes)
        except (GiveUp, RetryLater) as error:
            return error

    async def _errors(self, writes: Sequence[Write]) -> list[Document]:
        try:
            # Unordered, though the server keeps the order: a write that is refused, because
            # another process has just made the document, must not keep back the others.
            await self._reach.ask(lambda: self._collection.bulk_write(writes, ordered=False))
        except Refused as refused:
            if refused.unconfirmed:
                raise
            return list(refused.errors)
        return []


def _tells_which(errors: Sequence[Document] | Exception) -> bool:
    return isinstance(errors, Exception) or all("index" in error for error in errors)


def write(which: Document, change: Any, *, upsert: bool = False) -> Write:
    """One change among many that leave together."""
    return UpdateOne(which, change, upsert=upsert)


def document_key(company_id: UUID, customer_id: UUID) -> Document:
    """Finds the conversation document of a company's customer."""
    # The id is made from both, so that two first lines at once cannot make two documents.
    digest = hashlib.sha256(company_id.bytes + customer_id.bytes).digest()
    return {"_id": ObjectId(digest[:12]), "companyId": str(company_id)}


async def make_indexes(
    reach: Reach, collection: Collection, indexes: Sequence[Index], *, replacing: str = ""
) -> None:
    """Make *indexes*; one that stands under the name *replacing* gives way to ours."""
    models = [IndexModel(keys, **options) for keys, options in indexes]
    try:
        await reach.ask(lambda: collection.create_indexes(models))
    except Refused as refused:
        if not replacing or refused.code not in OTHER_INDEX:
            raise
        await reach.ask(lambda: collection.drop_index(replacing))
        await reach.ask(lambda: collection.create_indexes(models))


@asynccontextmanager
async def opened(url: str, database: str) -> AsyncIterator[Collections]:
    """Both collections, through Motor; StartupRefused for a URL that cannot be one."""
    client = _client(url)
    try:
        yield collections_in(client, database)
    finally:
        client.close()


def collections_in(client: Any, database: str) -> Collections:
    """The collections as we want them used: acknowledged writes are on disk, times are UTC."""
    return Collections(
        *(
            client[database].get_collection(
                name,
                codec_options=CodecOptions(tz_aware=True, tzinfo=UTC),
                write_concern=WriteConcern(w="majority", j=True, wtimeout=4000),
            )
            for name in ("conversations", "conversations_archive")
        )
    )


def _client(url: str) -> Any:
    if not url.startswith(("mongodb://", "mongodb+srv://")):  # Else it is taken for a host.
        raise StartupRefused("stores.mongo: not a usable MongoDB URL: it begins with mongodb://")
    limits = {name: value for name, value in TIMEOUTS.items() if name.lower() not in url.lower()}
    try:
        return AsyncIOMotorClient(url, appname="lyrox", **limits)
    except (driver.ConfigurationError, ValueError) as error:
        raise StartupRefused(f"stores.mongo: not a usable MongoDB URL: {_short(error)}") from None


def _short(error: BaseException) -> str:
    return str(error).split(", Timeout:")[0].split(", full error:")[0][:200] or repr(error)
