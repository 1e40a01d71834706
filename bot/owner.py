"""What the owner writes: in a customer's chat it takes over, in the account's own it commands."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from uuid import UUID

from bot.background import Background
from bot.memory import Memory
from bot.metrics import Metrics
from bot.owner_words import Command, answer, command_of
from bot.wire import Outgoing, Wire, new_secret
from models.companies import pause_company
from models.errors import LyroxError
from models.owner import OwnerDesk
from models.values import Channel, InboundMessage, Line

log = logging.getLogger(__name__)

KNOWN_COMMANDS = 1000
PATIENCE_SECONDS = 120.0
"""So long an answer to a command waits for its session."""
LOOK_SECONDS = 0.2


class OwnChat:
    """Writes into the account's own chat, past the outbox: it is nobody's conversation."""

    def __init__(
        self, wire_of: Callable[[UUID, Channel], Wire | None], background: Background
    ) -> None:
        self._wire_of = wire_of
        self._background = background

    def say(self, company_id: UUID, chat: str, text: str) -> None:
        """Write it as soon as the session takes messages; a failure is only logged."""
        self._background.start(self._say(company_id, chat, text), name="own chat")

    async def _say(self, company_id: UUID, chat: str, text: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                wire = await self._wire(company_id)
            await wire.send(Outgoing(chat, text, new_secret()))
        except (LyroxError, TimeoutError) as error:
            log.warning("a command has no answer", extra={"company": company_id, "why": str(error)})

    async def _wire(self, company_id: UUID) -> Wire:
        while True:
            wire = self._wire_of(company_id, Channel.WHATSAPP)
            if wire is not None and wire.connected:
                return wire
            await asyncio.sleep(LOOK_SECONDS)


class OwnerWords:
    """Takes the owner's messages, in the order in which they came."""

    def __init__(
        self,
        desk: OwnerDesk,
        memory: Memory,
        metrics: Metrics,
        own_chat: OwnChat,
        *,
        pause_minutes: int,
        resume_word: str,
        zone: str,
        notify: Callable[[UUID, Channel], None],
    ) -> None:
        self._desk = desk
        self._memory = memory
        self._metrics = metrics
        self._own_chat = own_chat
        self._pause_seconds = pause_minutes * 60.0
        self._resume_word = resume_word
        self._zone = zone
        self._notify = notify
        self._obeyed: OrderedDict[tuple[UUID, str], None] = OrderedDict()

    async def take(self, message: InboundMessage) -> None:
        """Do what follows from *message*. Raises RetryLater: give it again."""
        if message.own_chat:
            await self._obey(message)
        else:
            await self._wrote(message)

    async def _wrote(self, message: InboundMessage) -> None:
        done = await self._desk.wrote(
            message, pause_seconds=self._pause_seconds, resume_word=self._resume_word
        )
        self._metrics.accepted(done.verdict)
        if done.inbox_id is None:
            return
        log.info("the owner wrote in a chat", extra={"deed": done.deed})
        self._metrics.owner_did(done.deed or "")
        if done.deed == "paused":
            self._metrics.owner_paused()
        if done.deed != "resumed":
            line = Line(message.wa_id, message.sent_at, message.sender, message.text)
            company_id = message.company_id
            self._memory.remember("inbox", done.inbox_id, company_id, done.customer, line)
        self._notify(message.company_id, message.channel)

    async def _obey(self, message: InboundMessage) -> None:
        """A command does the same when it comes again, and is answered once by this process."""
        found, name = command_of(message.text), (message.company_id, message.wa_id)
        if found is None or message.stale or name in self._obeyed:
            return
        command, language = found
        figures = await self._do(command, message.company_id)
        self._obeyed[name] = None
        if len(self._obeyed) > KNOWN_COMMANDS:
            self._obeyed.popitem(last=False)
        log.info("the owner commands", extra={"command": command.value})
        self._metrics.owner_did(command.value)
        text = answer(command, language, figures)
        self._own_chat.say(message.company_id, message.chat, text)

    async def _do(self, command: Command, company_id: UUID) -> dict[str, object]:
        if command is Command.TODAY:
            return await self._desk.today(company_id, zone=self._zone)
        if command in (Command.PAUSE, Command.RESUME):
            await pause_company(company_id, command is Command.PAUSE)
        return {}
