"""What a failed PostgreSQL call means to its caller."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from tortoise.exceptions import DBConnectionError

from models.errors import GiveUp, RetryLater, StartupRefused, Unavailable

LOST = (
    OSError,  # Covers TimeoutError and every refused or reset connection.
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # The server stops, starts, or cancelled us.
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,  # Deadlock and serialisation failures.
    asyncpg.ReadOnlySQLTransactionError,  # A standby, by now or still.
)

HEALING_SECONDS = 0.02
"""How long asyncpg needs to notice that the server has ended its idle connections."""


@contextmanager
def lost_means(error: type[RetryLater] | type[Unavailable]) -> Iterator[None]:
    """Turn a lost connection, a timeout or a busy server into *error*."""
    try:
        yield
    except LOST as cause:
        if isinstance(cause, ValueError):  # What asyncpg calls an unusable argument.
            raise
        told = str(cause).strip().partition("\n")[0] or type(cause).__name__  # Without its detail.
        advice = "; start it, or correct [stores] postgres" if error is Unavailable else ""
        raise error(f"PostgreSQL does not answer: {told}{advice}") from cause


@contextmanager
def refused_means_give_up(function: str) -> Iterator[None]:
    """Turn values that PostgreSQL can never take into GiveUp."""
    try:
        yield
    except (ValueError, asyncpg.DataError) as cause:  # Their texts may quote a customer.
        raise GiveUp(f"PostgreSQL cannot take the values for {function}") from cause


@contextmanager
def refused_at_the_door() -> Iterator[None]:
    """Turn a wrong password, role or database name into StartupRefused."""
    try:
        yield
    except (
        asyncpg.InvalidAuthorizationSpecificationError,
        asyncpg.InvalidCatalogNameError,
        asyncpg.InsufficientPrivilegeError,
        DBConnectionError,  # Tortoise's word for a database that does not exist.
    ) as cause:
        raise StartupRefused(
            f"PostgreSQL refuses us: {cause}; correct [stores] postgres or the role's rights"
        ) from cause
