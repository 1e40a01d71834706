"""Company scopes: business data is reachable only inside one, in Python and in PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn, Self
from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.connection import get_connection
from tortoise.exceptions import TransactionManagementError
from tortoise.manager import Manager
from tortoise.models import Model
from tortoise.queryset import QuerySet
from tortoise.transactions import in_transaction

from models.errors import CompanyScopeMissing, RetryLater
from models.lost import HEALING_SECONDS, LOST, lost_means

NOBODY = UUID(int=0)
ENTER = "SELECT set_config('app.company_id', $1, true), set_config('app.system', $2, true)"
LOCK = "SELECT pg_advisory_xact_lock(hashtext($1))"


@dataclass(frozen=True, slots=True)
class _Scope:
    """Whose rows the running task may touch; NOBODY with *system* means everybody's."""

    company_id: UUID
    system: bool

    def covers(self, company_id: object) -> bool:
        return self.system or company_id == self.company_id


_current: ContextVar[_Scope | None] = ContextVar("company_scope", default=None)


def company_scope(company_id: UUID) -> AbstractAsyncContextManager[None]:
    """A transaction that sees and writes one company's rows and no others."""
    return _entered(_Scope(company_id, system=False))


def system_scope() -> AbstractAsyncContextManager[None]:
    """A transaction that sees every company: for start-up, the sweeper and the operator."""
    return _entered(_Scope(NOBODY, system=True))


@asynccontextmanager
async def _entered(scope: _Scope) -> AsyncIterator[None]:
    if _current.get() is not None:
        raise CompanyScopeMissing("scopes do not nest: leave the one before entering another")
    with lost_means(RetryLater):
        async with await _begun(scope):
            token = _current.set(scope)
            try:
                yield
            finally:
                _current.reset(token)


async def _begun(scope: _Scope) -> AsyncExitStack:
    try:
        return await _begin(scope)
    except LOST:  # The server had ended an idle connection; nothing of ours ran yet.
        await asyncio.sleep(HEALING_SECONDS)
        return await _begin(scope)


async def _begin(scope: _Scope) -> AsyncExitStack:
    async with AsyncExitStack() as stack:
        opening = in_transaction()
        try:
            transaction = await opening.__aenter__()
        except (*LOST, asyncio.CancelledError):
            if hasattr(opening, "token"):  # Tortoise keeps the connection when BEGIN fails.
                await opening.__aexit__(TransactionManagementError, None, None)
            raise
        stack.push_async_exit(opening)
        values = [str(scope.company_id), "on" if scope.system else "off"]
        await transaction.execute_query(ENTER, values)
        return stack.pop_all()


async def advisory_lock(name: str) -> None:
    """Let one process at a time go on from here, until the scope ends."""
    if _current.get() is None:
        raise CompanyScopeMissing("an advisory lock lives in a scope: enter one first")
    await get_connection("default").execute_query(LOCK, [name])


class _Refuse(Manager):
    """The door of every entry point that names no company."""

    def get_queryset(self) -> NoReturn:
        name = self._model.__name__
        raise CompanyScopeMissing(
            f"{name} is behind a wall: start from .of(company_id), or .everywhere() for the system"
        )


class Walled(Model):
    """Base of every table behind row-level security; unscoped access raises."""

    wall: ClassVar[str]
    """The column that holds the company's id; empty where only the system may look."""

    class Meta:
        abstract = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # Tortoise does not inherit Meta.manager when a model has its own Meta.
        super().__init_subclass__(**kwargs)
        cls._meta.manager = _Refuse()

    @classmethod
    def everywhere(cls) -> QuerySet[Self]:
        """Start a query on all companies' rows; only in the system scope."""
        scope = _current.get()
        if scope is None or not scope.system:
            raise CompanyScopeMissing(f"{cls.__name__}.everywhere() needs the system scope")
        return QuerySet(cls)

    def demand_scope(self) -> None:
        """Raise unless the running scope covers this row."""
        scope = _current.get()
        if scope is None or not scope.covers(getattr(self, self.wall, None)):
            raise CompanyScopeMissing(
                f"{type(self).__name__} of another company, or outside any scope: {self.pk}"
            )

    async def save(self, *args: Any, **kwargs: Any) -> None:
        self.demand_scope()
        await super().save(*args, **kwargs)

    async def delete(self, using_db: BaseDBAsyncClient | None = None) -> None:
        self.demand_scope()
        await super().delete(using_db)

    async def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        self.demand_scope()
        await super().refresh_from_db(*args, **kwargs)

    async def fetch_related(self, *args: Any, **kwargs: Any) -> None:
        self.demand_scope()
        await super().fetch_related(*args, **kwargs)

    @classmethod
    async def fetch_for_list(
        cls, instance_list: Iterable[Model], *args: Any, using_db: BaseDBAsyncClient | None = None
    ) -> None:
        rows = [row for row in instance_list if isinstance(row, cls)]
        for row in rows:
            row.demand_scope()
        await super().fetch_for_list(rows, *args, using_db=using_db)


class CompanyModel(Walled):
    """Base of every table with a ``company_id``."""

    wall = "company_id"

    class Meta:
        abstract = True

    @classmethod
    def of(cls, company_id: UUID) -> QuerySet[Self]:
        """Start a query on one company's rows; only in its scope or the system's."""
        scope = _current.get()
        if scope is None or not scope.covers(company_id):
            raise CompanyScopeMissing(
                f"{cls.__name__}.of({company_id}) outside that company's scope"
            )
        return QuerySet(cls).filter(**{cls.wall: company_id})
