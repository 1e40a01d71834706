"""What answers: stores, doorbell, language model and road, open together for any process.

The daemon adds WhatsApp to it, a worker adds nothing; a terminal brings what it needs itself.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from bot.alerts.model_watch import ModelWatch
from bot.config import Settings, secret
from bot.degraded import Degraded
from bot.hosts import Host
from bot.jobs import Doorbell, open_doorbell
from bot.lanes import Chat
from bot.llm import Targets, open_model
from bot.metrics import Metrics
from bot.road import Road, open_road
from bot.stores import Stores, Urls, open_stores
from bot.watching import watch_degraded, watch_models
from bot.workers import Workers
from handlers import build, load_prompts
from models.desk import Desk


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything open; what must run all the time is in `loops`."""

    settings: Settings
    metrics: Metrics
    stores: Stores
    doorbell: Doorbell
    model: Targets
    models: ModelWatch
    workers: Workers
    degraded: Degraded
    road: Road

    def loops(self, expect: Callable[[str], Callable[[], None]]) -> dict[str, Awaitable[object]]:
        """What runs in every process; *expect* makes the stamp of a loop's rounds."""
        road = self.road
        return {
            "heart": road.heart.run(expect("heart")),
            "memory": road.memory.run(),
            "sweeper": road.sweeper.run(expect("sweeper")),
        }

    def answer(self) -> Awaitable[object]:
        """Take the turns that the doorbell announces, for ever."""
        return self.doorbell.answer(self._submit)

    def _submit(self, company_id: UUID, customer_id: UUID) -> None:
        self.road.slots.submit((company_id, customer_id))


@asynccontextmanager
async def open_engine(
    settings: Settings, urls: Urls, host: Host, *, rings: bool
) -> AsyncIterator[Engine]:
    """Open it all as *host*; *rings*: whether turns are announced to whoever answers first."""
    metrics, models, prompts = Metrics(), ModelWatch(), load_prompts()

    def on_call(target: str, outcome: str, seconds: float, tokens: int) -> None:
        metrics.llm_call(target, outcome, seconds, tokens)
        models.heard(target, outcome, seconds, tokens)

    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(open_stores(settings, urls))
        doorbell = await stack.enter_async_context(open_doorbell(urls.redis))
        model = await stack.enter_async_context(
            open_model(settings.llm, prompts, secrets=secret, on_call=on_call)
        )
        workers = Workers(Desk(stores.call, stores.rows))

        async def ring(chat: Chat, newest: str) -> None:
            await doorbell.ring(*chat, newest, datetime.now(UTC))

        talk = settings.conversation
        road = await stack.enter_async_context(
            open_road(
                settings,
                stores,
                build(
                    model,
                    prompts,
                    talk.pause_minutes,
                    call_sentence=talk.call_sentence,
                    call_minutes=talk.call_minutes,
                    robot_turns=settings.limits.robot_turns,
                ),
                prompts=prompts,
                host=host,
                metrics=metrics,
                ring=ring if rings else None,
                heard=lambda: settings.daemon.turns_here or workers.alive,
            )
        )
        metrics.watch("doorbell_malformed", lambda: doorbell.skipped)
        watch_models(metrics, model)
        watch_degraded(metrics, degraded := Degraded())
        yield Engine(settings, metrics, stores, doorbell, model, models, workers, degraded, road)
