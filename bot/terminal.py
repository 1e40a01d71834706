"""A customer in the terminal, on the same road: ``lyrox chat``."""

import asyncio
import json
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import TextIOWrapper
from uuid import UUID, uuid4

from bot.config import Settings, secret
from bot.hosts import Host
from bot.jobs import open_doorbell
from bot.llm import open_model
from bot.metrics import Metrics
from bot.road import Ring, Road, open_road
from bot.shard import daemon_runs
from bot.stores import Stores, open_stores, urls_of
from bot.wakes import Wakes
from bot.wire import Outgoing, OwnerHand, Settlement, Unsettled
from handlers import build, load_prompts
from models.companies import Company, find_company
from models.errors import RetryLater
from models.ledger_rows import Fate
from models.values import Channel, InboundMessage, Sender

LOOK_SECONDS = 0.5
"""How often a chat looks at the ledger when nothing wakes it."""

EXIT_ANSWERED, EXIT_SILENT, EXIT_NO_ANSWER = 0, 3, 4


class TerminalWire:
    """Shows what the company says; a line that was shown counts as sent."""

    channel = Channel.TERMINAL
    connected = True
    catching_up = False

    def __init__(self, company_id: UUID, show: Callable[[str], None]) -> None:
        self.company_id = company_id
        self._show = show

    def customer_types(self, _chat: str) -> bool:
        """A terminal sends whole lines."""
        return False

    def owner_hand(self, _: str) -> OwnerHand:
        """Nobody takes over a terminal."""
        return OwnerHand()

    async def typing(self, chat: str, on: bool) -> None:
        """A terminal shows no typing."""

    async def take_picture(self, _: str) -> bytes | None:
        """A terminal shows no pictures."""
        return None

    async def mark_read(self, chat: str, wa_ids: Sequence[str]) -> None:
        """A terminal shows no ticks."""

    async def sessions_hash(self, _: str) -> str | None:
        """A terminal has no ratchet."""
        return None

    async def send(self, outgoing: Outgoing) -> str:
        """Show the text."""
        self._show(outgoing.text)
        return f"cli-out-{uuid4()}"

    async def settle(self, unsettled: Sequence[Unsettled]) -> list[Settlement]:
        """What may have been shown is not shown twice."""
        return [Settlement(each.outbox_id, sent=True) for each in unsettled]


@dataclass
class Screen:
    """What the person sees, as lines for people or as JSON for programs."""

    company: str
    as_json: bool
    prefixed: bool
    said: list[str] = field(default_factory=list)

    def show(self, text: str) -> None:
        """One bubble of the company."""
        self.said.append(text)
        if not self.as_json:
            print(f"{self.company}: {text}" if self.prefixed else text, flush=True)

    def close(self, fate: Fate | None) -> None:
        """The end of one message's turn; a silence says why, on stderr."""
        reason = fate.reason if fate else "no answer yet; the message is kept"
        if self.as_json:
            state = fate.state if fate else "waiting"
            line = {"state": state, "reply": self.said, "reason": reason}
            print(json.dumps(line, ensure_ascii=False), flush=True)
        elif not self.said:
            print(f"({reason})", file=sys.stderr, flush=True)
        self.said = []


class Talk:
    """One customer's side of the conversation."""

    def __init__(self, road: Road, company_id: UUID, name: str, wake: asyncio.Event) -> None:
        self._road = road
        self._company_id = company_id
        self._name = name
        self._wake = wake

    @property
    def chat(self) -> str:
        """The address of this terminal: the customer's ``phone``."""
        return f"cli:{self._name}"

    async def say(self, text: str, *, wait: float) -> Fate | None:
        """Write as the customer; what became of it, or None when nothing did in *wait* seconds."""
        wa_id = f"cli-{uuid4()}"
        await self._road.intake.accept(
            InboundMessage(
                company_id=self._company_id,
                wa_id=wa_id,
                channel=Channel.TERMINAL,
                sender=Sender.CUSTOMER,
                phone=self.chat,
                chat=self.chat,
                text=text,
                sent_at=datetime.now(UTC),
                name=self._name,
            )
        )
        try:
            async with asyncio.timeout(wait):
                return await self._until_over(wa_id)
        except TimeoutError:
            return None

    async def _until_over(self, wa_id: str) -> Fate:
        while True:
            self._wake.clear()
            self._road.delivery.kick(self._company_id, Channel.TERMINAL)
            fate = await self._road.ledger.fate(self._company_id, wa_id)
            if fate.state in ("answered", "silent") and not fate.open_parts:
                return fate
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue


async def chat(
    settings: Settings, *, company: str, name: str, once: str | None, wait: float, as_json: bool
) -> int:
    """Talk to *company* (slug or UUID) as customer ``cli:<name>``; returns the exit status.

    Joins the daemon of this state directory if one runs, else turns run in this process.
    """
    async with AsyncExitStack() as stack:
        urls = await stack.enter_async_context(urls_of(settings.stores, progress=_tell))
        stores = await stack.enter_async_context(open_stores(settings, urls))
        found = await find_company(company)
        screen = Screen(found.name, as_json, prefixed=once is None)
        talk = await stack.enter_async_context(_talking(settings, stores, found, name, screen))
        if once is not None:
            return await _once(talk, screen, once, wait)
        return await _converse(talk, screen, found, wait)


@asynccontextmanager
async def _talking(
    settings: Settings, stores: Stores, company: Company, name: str, screen: Screen
) -> AsyncIterator[Talk]:
    host = Host(uuid4(), f"chat as {name}", 0, "terminal")
    prompts = load_prompts()
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(open_model(settings.llm, prompts, secrets=secret))
        road = await stack.enter_async_context(
            open_road(
                settings,
                stores,
                build(
                    model,
                    prompts,
                    settings.conversation.pause_minutes,
                    call_sentence=settings.conversation.call_sentence,
                    call_minutes=settings.conversation.call_minutes,
                ),
                prompts=prompts,
                host=host,
                metrics=Metrics(),
                ring=await _daemon_ring(settings, stores, stack),
            )
        )
        wake = asyncio.Event()
        talk = Talk(road, company.id, name, wake)
        await road.delivery.attach(TerminalWire(company.id, screen.show), 0, chat=talk.chat)
        loops = (road.heart.run(), road.memory.run(), _listen(stores, company.id, wake))
        tasks = [asyncio.ensure_future(loop) for loop in loops]
        try:
            yield talk
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _daemon_ring(settings: Settings, stores: Stores, stack: AsyncExitStack) -> Ring | None:
    """The doorbell of a running daemon; None: nobody would hear it, so turns run here."""
    if not await asyncio.to_thread(daemon_runs, settings.daemon.state_dir):
        return None
    doorbell = await stack.enter_async_context(open_doorbell(stores.urls.redis))

    async def ring(chat: tuple[UUID, UUID], newest: str) -> None:
        await doorbell.ring(*chat, newest, datetime.now(UTC))

    return ring


async def _listen(stores: Stores, company_id: UUID, wake: asyncio.Event) -> None:
    wakes = Wakes(stores.redis)
    await wakes.follow(company_id)
    async for _ in wakes:
        wake.set()


async def _once(talk: Talk, screen: Screen, text: str, wait: float) -> int:
    fate = await talk.say(text, wait=wait)
    answered = bool(screen.said)
    screen.close(fate)
    if fate is None:
        return EXIT_NO_ANSWER
    return EXIT_ANSWERED if answered else EXIT_SILENT


async def _converse(talk: Talk, screen: Screen, company: Company, wait: float) -> int:
    if not screen.as_json:
        _tell(f"You are {talk.chat}, writing to {company.name}. Ctrl-D ends the chat.")
    async for line in typed():
        if line.strip():
            try:
                screen.close(await talk.say(line.strip(), wait=wait))
            except RetryLater as error:
                _tell(f"not kept, write it again: {error}")
    return EXIT_ANSWERED


async def typed() -> AsyncIterator[str]:
    """Lines of stdin, read on a thread that never holds up the end of the process."""
    loop, lines = asyncio.get_running_loop(), asyncio.Queue[str | None]()

    def read() -> None:
        if isinstance(sys.stdin, TextIOWrapper):
            sys.stdin.reconfigure(errors="replace")  # What is no text must not end the chat.
        try:
            for line in sys.stdin or ():  # None where it was closed before we began.
                loop.call_soon_threadsafe(lines.put_nowait, line)
        except OSError:
            pass  # The terminal is lost, which is an end like any other.
        finally:
            loop.call_soon_threadsafe(lines.put_nowait, None)

    threading.Thread(target=read, name="stdin", daemon=True).start()
    while (line := await lines.get()) is not None:
        yield line


def _tell(text: str) -> None:
    """A word from us, apart from what the company says."""
    print(text, file=sys.stderr, flush=True)
