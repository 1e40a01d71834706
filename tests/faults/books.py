"""Whether all books say the same after a row of kills: phones, ledger, history, logs, journals."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.whatsapp.files import CompanyFiles
from bot.whatsapp.journal import Journal
from tests.faults.fleet import Fleet
from tests.faults.person import Person
from tests.system.lines import read

_UNWRITTEN = """
SELECT 'inbox ' || i.id || ' of ' || phone || ', ' || i.state || ' since ' || received_at
  FROM inbox i JOIN customers c ON c.id = i.customer_id
 WHERE NOT remembered AND phone = ANY ($1)
UNION ALL
SELECT 'outbox ' || o.id || ' of ' || phone || ', sent at ' || sent_at
  FROM outbox o JOIN customers c ON c.id = o.customer_id
 WHERE NOT remembered AND o.state = 'sent' AND phone = ANY ($1)
"""
WRITING_SECONDS = 90.0
_SENT = """
SELECT c.phone, o.content, o.confirmed, o.state FROM outbox o
  JOIN customers c ON c.id = o.customer_id ORDER BY o.id
"""
_TAKEN = """
SELECT c.phone, i.content FROM inbox i JOIN customers c ON c.id = i.customer_id ORDER BY i.id
"""
_COUNTED = """
SELECT phone, total_interactions, (
    SELECT count(*) FROM agent_logs l WHERE l.customer_id = c.id AND event_type = 'message_sent'
  ) AS logs, (
    SELECT count(DISTINCT event_data ->> 'outboxId') FROM agent_logs l
     WHERE l.customer_id = c.id AND event_type = 'message_sent'
  ) AS distinct_logs FROM customers c
"""
_NOTHING = (0, 0, 0)


@dataclass(frozen=True)
class Books:
    """All that was said, by the customer's phone, as each of the books has it."""

    read: Mapping[str, list[str]]
    senders: Mapping[str, list[str]]
    """The companies that sent it, where the phones say so."""
    sent: Mapping[str, list[str]]
    """Parts that count as sent."""
    unconfirmed: Mapping[str, list[str]]
    taken: Mapping[str, list[str]]
    """Messages that are in the ledger."""
    history: Mapping[str, list[tuple[str, str]]]
    counted: Mapping[str, tuple[int, int, int]]
    """Messages, log lines of sent parts, and of how many parts these are."""

    def unsaid(self, phone: str) -> list[str]:
        """Parts that count as sent, unconfirmed, and never arrived."""
        missing = Counter(self.unconfirmed[phone]) - Counter(self.read[phone])
        return list(missing.elements())

    def problems(self, person: Person) -> list[str]:
        """Where they differ about one customer."""
        phone = person.phone
        sent = self.sent[phone]
        arrived = _without(sent, self.unsaid(phone))
        history = self.history[phone]
        counts = (len(self.taken[phone]), len(sent), len(sent))
        said = {
            "the phone": (self.read[phone], arrived),
            "the history of the customer": (_of("customer", history), self.taken[phone]),
            "the history of the agent": (_of("agent", history), sent),
            "the counts": (self.counted.get(phone, _NOTHING), counts),
        }
        strangers = set(self.senders[phone]) - {str(person.company)}
        return [f"{phone}: sent by {stranger}" for stranger in strangers] + [
            f"{phone}: {what} has {found}, the ledger {ledger}"
            for what, (found, ledger) in said.items()
            if found != ledger
        ]


async def all_written(fleet: Fleet, people: Iterable[Person]) -> list[str]:
    """Have a daemon write down what killed ones left about these, and end; what it left.

    What nobody has written for 20 s is found by a sweep.
    """
    phones = [f"+{person.phone}" for person in people]
    end = time.monotonic() + WRITING_SECONDS
    await fleet.start()
    while left := await fleet.look.fetch(_UNWRITTEN, phones):
        if time.monotonic() > end:
            break
        await asyncio.sleep(0.1)
    problems = [f"never written into the history: {row[0]}" for row in left]
    code = await fleet.stop()
    return problems if code == 0 else [*problems, f"the daemon ended with {code}"]


async def open_books(fleet: Fleet) -> Books:
    """As they are now."""
    sent = await fleet.look.fetch(_SENT)
    lines = [
        (line["chat"].partition("@")[0], line)
        for line in read(fleet.phones.folder / "arrived.jsonl")
    ]
    return Books(
        read=_by_phone((phone, line["text"]) for phone, line in lines),
        senders=_by_phone((phone, line["company"]) for phone, line in lines if "company" in line),
        sent=_by_phone((row["phone"], row["content"]) for row in sent if row["state"] == "sent"),
        unconfirmed=_by_phone(
            (row["phone"], row["content"])
            for row in sent
            if row["state"] == "sent" and not row["confirmed"]
        ),
        taken=_by_phone((row["phone"], row["content"]) for row in await fleet.look.fetch(_TAKEN)),
        history=_history(fleet.history()),
        counted={
            row["phone"].lstrip("+"): tuple(row)[1:] for row in await fleet.look.fetch(_COUNTED)
        },
    )


def journals(fleet: Fleet) -> list[str]:
    """Journals that are not empty, while no daemon runs."""
    left = []
    for company in fleet.companies:
        journal = Journal(CompanyFiles(fleet.home.state_dir, company).journal)
        if journal.waiting:
            left.append(f"the journal of {company} holds {journal.waiting}")
        journal.close()
    return left


def _history(documents: Iterable[Mapping[str, Any]]) -> Mapping[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for document in documents:
        lines = [(line["sender"], line["content"]) for line in document["messages"]]
        found[document["customerPhone"].lstrip("+")] += lines
    return found


def _by_phone(lines: Iterable[tuple[str, str]]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for phone, text in lines:
        found[phone.lstrip("+")].append(text)
    return found


def _of(sender: str, lines: Sequence[tuple[str, str]]) -> list[str]:
    return [text for who, text in lines if who == sender]


def _without(texts: Sequence[str], missing: Sequence[str]) -> list[str]:
    left = Counter(missing)
    kept = []
    for text in texts:
        if left[text]:
            left[text] -= 1
        else:
            kept.append(text)
    return kept
