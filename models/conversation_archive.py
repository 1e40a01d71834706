"""The past of long conversations: their oldest lines, each in a document of its own.

A line is copied, then taken out of its conversation: a process that dies between the two leaves it
in both, where it still counts once, and the next one goes on. ``archivedCount`` in the
conversation grows with every line that has left it, so that whoever adds a late line notices
when the archive took some meanwhile.
"""

from collections.abc import Collection as Some
from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from models import conversation_document as shape
from models.conversation_document import MOST_LIVING, Document
from models.errors import RetryLater
from models.mongo import Collections, Reach, document_key, make_indexes
from models.refusals import Refused
from models.text import clean
from models.values import Line

MOVED_AT_ONCE = 200
MOST_MOVED = 1000
"""Of a document that can grow no more: enough to make room, few enough to be looked for."""


class Archive:
    """Moves lines out of conversation documents; every call names its company and may be repeated.

    All calls raise RetryLater when MongoDB does not answer in time.
    """

    def __init__(self, collections: Collections, reach: Reach) -> None:
        self._living = collections.conversations
        self._archive = collections.archive
        self._reach = reach
        self.most_living = MOST_LIVING

    async def ensure_indexes(self) -> None:
        """Make the archive's indexes."""
        await make_indexes(self._reach, self._archive, shape.ARCHIVE_INDEXES)

    async def long_ones(self, company_id: UUID, limit: int = 100) -> list[UUID]:
        """Customers whose conversation has outgrown its document."""
        which = {"companyId": str(company_id), shape.TOO_LONG: {"$exists": True}}
        found = await self._find(self._living, which, {"customerId": 1}, limit)
        return [UUID(document["customerId"]) for document in found]

    async def shorten(self, company_id: UUID, customer_id: UUID, unwritten: Some[str]) -> int:
        """Move the oldest lines beyond ``most_living``, but none of *unwritten*; how many."""
        key, moved = document_key(company_id, customer_id), 0
        while True:
            oldest = await self._oldest(key)
            going = [line for line in oldest if line["id"] not in unwritten]
            if not going or not await self._move(key, customer_id, going):
                return moved
            moved += len(going)

    async def take_half(self, company_id: UUID, customer_id: UUID) -> None:
        """Move the older half, because the document can grow no more.

        Lines whose ledger row is not marked as written go too: their repetition comes late, and a
        late line is looked for here.
        """
        key = document_key(company_id, customer_id)
        half = {"$floor": {"$divide": [{"$size": "$messages"}, 2]}}
        older = {"messages": {"$slice": ["$messages", {"$toInt": {"$min": [half, MOST_MOVED]}}]}}
        found = await self._reach.ask(lambda: self._living.find_one(key, older))
        if found and found["messages"]:
            await self._move(key, customer_id, found["messages"])

    async def moved(self, company_id: UUID, customer_id: UUID) -> int:
        """How many lines have left the conversation for the archive."""
        key = document_key(company_id, customer_id)
        found = await self._reach.ask(lambda: self._living.find_one(key, {"archivedCount": 1}))
        return int((found or {}).get("archivedCount") or 0)

    async def among(
        self, company_id: UUID, customer_id: UUID, ids: Sequence[str]
    ) -> frozenset[str]:
        """Those of *ids* that the archive holds for this customer."""
        names = [clean(name) for name in ids]
        both = [*names, *(shape.collided(name, customer_id) for name in names)]
        mine = {"companyId": str(company_id), "customerId": str(customer_id)}
        found = await self._find(self._archive, mine | {"messageId": {"$in": both}}, {"id": 1})
        return frozenset(document["id"] for document in found)

    async def find(self, company_id: UUID, line_id: str) -> tuple[UUID, Line] | None:
        """A line of this company's, archived or not, and whose conversation it is of."""
        past = {"companyId": str(company_id), "messageId": clean(line_id)}
        if found := await self._reach.ask(lambda: self._archive.find_one(past, {})):
            return UUID(found["customerId"]), shape.from_document(found)
        living = {"companyId": str(company_id), "messages.id": clean(line_id)}
        shown: Document = {"customerId": 1, "messages.$": 1}
        if found := await self._reach.ask(lambda: self._living.find_one(living, shown)):
            return UUID(found["customerId"]), shape.from_document(found["messages"][0])
        return None

    async def inherit(self, company_id: UUID, former: UUID, customer_id: UUID) -> bool:
        """Give *former*'s past to *customer_id*; whether that one has any now."""
        company = {"companyId": str(company_id)}
        heir: Document = {"customerId": str(customer_id)}
        mine = company | heir
        await self._reach.ask(
            lambda: self._archive.update_many(company | {"customerId": str(former)}, {"$set": heir})
        )
        if not await self._counted(mine):
            return False
        # A message that came once for each of the two is one message.
        for again in await self._find(self._archive, mine | shape.COLLIDED, {"id": 1}):
            if await self._counted(mine | {"id": again["id"]}) > 1:
                await self._reach.ask(partial(self._archive.delete_one, {"_id": again["_id"]}))
        return True

    async def recount(self, company_id: UUID, customer_id: UUID) -> None:
        """Let the conversation count its living and its archived lines, each once."""
        key = document_key(company_id, customer_id)
        mine = {"companyId": str(company_id), "customerId": str(customer_id)}
        told: Document = {"messages.id": 1, "messageCount": 1, "archivedCount": 1}
        for _ in range(3):
            found = await self._reach.ask(lambda: self._living.find_one(key, told))
            if found is None:
                return
            living = [line["id"] for line in found["messages"]]
            past = await self._counted(mine | {"id": {"$nin": living}})
            counts = {"messageCount": len(living) + past, "archivedCount": past}
            as_before = key | {name: found.get(name) for name in counts}
            change = {"$set": counts}
            done = await self._reach.ask(partial(self._living.update_one, as_before, change))
            if done.matched_count:
                return
        raise RetryLater(f"the conversation of customer {customer_id} is busy")

    async def _oldest(self, key: Document) -> list[Document]:
        """The oldest lines beyond ``most_living``, at most `MOVED_AT_ONCE`."""
        shown: Document = {"messages": {"$slice": MOVED_AT_ONCE}, "living": {"$size": "$messages"}}
        found = await self._reach.ask(lambda: self._living.find_one(key, shown))
        beyond = found["living"] - self.most_living if found else 0
        return list(found["messages"][: max(0, beyond)]) if found else []

    async def _move(self, key: Document, customer_id: UUID, lines: Sequence[Document]) -> bool:
        """Copy, then take out; False when the conversation is not as it was any more."""
        await self._copy(key["companyId"], customer_id, lines)
        ids = [line["id"] for line in lines]
        all_there = key | {"messages.id": {"$all": ids}}
        change = {
            "$pull": {"messages": {"id": {"$in": ids}}},
            "$inc": {"archivedCount": len(ids)},
        }
        done = await self._reach.ask(lambda: self._living.update_one(all_there, change))
        return bool(done.matched_count)

    async def _copy(self, company: str, customer_id: UUID, lines: Sequence[Document]) -> None:
        """All *lines* are in the archive afterwards, once; raises RetryLater if they are not."""
        names = [line["id"] for line in lines]
        which: Document = {"companyId": company, "messageId": {"$in": names}}
        shown = {"messageId": 1, "customerId": 1}
        owners = {
            found["messageId"]: found["customerId"]
            for found in await self._find(self._archive, which, shown)
        }
        documents = [shape.archived(company, customer_id, line, owners) for line in lines]
        keys = [document["messageId"] for document in documents]
        try:
            await self._reach.ask(lambda: self._archive.insert_many(documents, ordered=False))
        except Refused as refused:
            if any(error["code"] != shape.DUPLICATE for error in refused.errors):
                raise
        mine: Document = {"companyId": company, "customerId": str(customer_id)}
        if await self._counted(mine | {"messageId": {"$in": keys}}) != len(set(keys)):
            raise RetryLater(f"the archive does not hold all lines of customer {customer_id}")

    async def _counted(self, which: Document) -> int:
        return int(await self._reach.ask(lambda: self._archive.count_documents(which)))

    async def _find(
        self, collection: Any, which: Document, shown: Document, limit: int = 0
    ) -> list[Document]:
        found: list[Document] = await self._reach.ask(
            lambda: collection.find(which, shown, limit=limit).to_list(None)
        )
        return found
