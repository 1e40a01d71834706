"""A company whose alerts are watched, on a real PostgreSQL and a clock of the test's own."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from bot.alerts.model_watch import ModelWatch
from bot.alerts.opening import Alerts, open_alerts
from bot.alerts.routes import INSTALLATION
from bot.alerts.signing import signing_secret
from bot.config import Settings
from bot.metrics import Metrics
from models.alerts import AlertDesk
from models.database import Database
from tests.builders import make_company
from tests.fakes.receiver import Receiver, open_receiver
from tests.one_database import database, db, look
from tests.schemas import faults

__all__ = ["database", "db", "look"]

MASTER = "0123456789abcdef0123456789abcdef"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Scene:
    """One company, one daemon's alerts, one receiver; time moves by `after` alone."""

    def __init__(
        self,
        company: UUID,
        alerts: Alerts,
        models: ModelWatch,
        metrics: Metrics,
        receiver: Receiver,
        look: asyncpg.Connection,
        clock: list[datetime],
    ) -> None:
        self.company = company
        self.alerts = alerts
        self.models = models
        self.metrics = metrics
        self.receiver = receiver
        self.look = look
        self._clock = clock

    @property
    def now(self) -> datetime:
        return self._clock[0]

    async def happens(self, kind: str, subject: str = "", **data: Any) -> None:
        """An event, now."""
        await self.look.execute(
            "INSERT INTO events (company_id, kind, subject, data, at) VALUES ($1, $2, $3, $4, $5)",
            *(self.company, kind, subject, json.dumps(data), self.now),
        )

    async def session(self, reason: str, **data: Any) -> None:
        """The company's WhatsApp is so, now."""
        await self.happens("session", reason=reason, **data)

    async def after(self, seconds: float = 0, *, step: float = 60) -> list[str]:
        """Time passes, with a look each *step*; the types of what the receiver took meanwhile."""
        before, end = len(self.receiver.taken), self.now + timedelta(seconds=seconds)
        await self.looked()
        while self.now < end:
            self._clock[0] = min(end, self.now + timedelta(seconds=step))
            await self.looked()
        return self.receiver.types()[before:]

    async def looked(self) -> None:
        """One look, and everything that it began."""
        await self.alerts.loop.look()
        await self.settled()

    async def settled(self) -> None:
        """Every delivery that was begun has come to an end."""
        async with asyncio.timeout(50):
            while self.alerts.loop._dispatcher._busy:  # noqa: ASYNC110 - It has no other word.
                await asyncio.sleep(0.001)

    async def rows(self, columns: str, table: str) -> list[tuple[Any, ...]]:
        """The company's rows of a table, in order."""
        query = f"SELECT {columns} FROM {table} WHERE company_id = $1 ORDER BY 1"  # noqa: S608
        return [tuple(row) for row in await self.look.fetch(query, self.company)]

    async def set(self, **columns: Any) -> None:
        """The company wants its alerts so."""
        for column, value in columns.items():
            await self.look.execute(
                f"INSERT INTO alert_settings (company_id, {column}) VALUES ($1, $2)"  # noqa: S608
                f" ON CONFLICT (company_id) DO UPDATE SET {column} = excluded.{column}",
                *(self.company, value),
            )


OpenScene = Callable[..., AbstractAsyncContextManager[Scene]]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with open_receiver() as receiver:
        receiver.secret = signing_secret(MASTER, INSTALLATION)
        yield receiver
    assert [fault for document in receiver.taken for fault in faults(document)] == []


@pytest.fixture
async def open_scene(
    database: str, db: Database, look: asyncpg.Connection, receiver: Receiver
) -> AsyncIterator[OpenScene]:
    """``async with open_scene(at=…, company=…, alerts=…) as scene``."""

    @asynccontextmanager
    async def make(
        *,
        at: datetime = NOON,
        company: UUID | None = None,
        secrets: Callable[[str], str | None] = lambda _: MASTER,
        link: Callable[[UUID], str | None] = lambda _: None,
        targets: tuple[str, ...] = ("gpt",),
        mail: Mapping[str, object] = MappingProxyType({}),
        post_seconds: float = 5.0,
        **alerts: Any,
    ) -> AsyncIterator[Scene]:
        here = {"webhook": receiver.url, "private_networks": ["127.0.0.0/8"], "quiet_hours": ""}
        settings = Settings.model_validate({"alerts": here | alerts, "mail": dict(mail)})
        company = company or await make_company(database)
        clock, models, metrics = [at], ModelWatch(), Metrics()
        async with open_alerts(
            settings,
            AlertDesk(db.call),
            metrics,
            models,
            targets=lambda: targets,
            link=link,
            secrets=secrets,
            now=lambda: clock[0],
            post_seconds=post_seconds,
        ) as opened:
            yield Scene(company, opened, models, metrics, receiver, look, clock)

    yield make
    for table in ("events", "incidents", "deliveries", "alert_settings"):
        await look.execute(f"DELETE FROM {table}")  # noqa: S608


@pytest.fixture
async def scene(open_scene: OpenScene) -> AsyncIterator[Scene]:
    """At noon, without quiet hours, with the installation's webhook."""
    async with open_scene() as scene:
        yield scene
