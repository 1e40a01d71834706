"""Company walls: refused in Python, and refused again by PostgreSQL."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from tortoise.exceptions import IntegrityError, OperationalError
from tortoise.manager import Manager
from tortoise.queryset import QuerySet

from models.agent_logs import AgentLog
from models.alert_settings import AlertSetting
from models.companies import Company
from models.customer_merges import CustomerMerge
from models.customers import Customer
from models.database import Database
from models.deliveries import Delivery
from models.errors import CompanyScopeMissing
from models.events import Event
from models.inbox import Inbound
from models.incidents import Incident
from models.outbox import Outbound
from models.products import Product
from models.sales import Sale
from models.session_leases import SessionLease
from models.subscriptions import Subscription
from models.tenancy import CompanyModel, Walled, advisory_lock, company_scope, system_scope
from models.turns import Turn
from models.users import User
from tests.models.conftest import Firm

COMPANY_MODELS: list[type[CompanyModel]] = [
    Company, Product, Customer, Sale, AgentLog, Subscription, SessionLease, Turn, Inbound, Outbound,
    Event, Incident, Delivery, AlertSetting, CustomerMerge,
]  # fmt: skip
MODELS: list[type[Walled]] = [User, *COMPANY_MODELS]
ENTRY_POINTS: dict[str, Callable[[type[Walled]], Any]] = {
    "all": lambda model: model.all(),
    "filter": lambda model: model.filter(pk=uuid4()),
    "exclude": lambda model: model.exclude(pk=uuid4()),
    "annotate": lambda model: model.annotate(),
    "first": lambda model: model.first(),
    "last": lambda model: model.last(),
    "latest": lambda model: model.latest("id"),
    "earliest": lambda model: model.earliest("id"),
    "get": lambda model: model.get(pk=uuid4()),
    "get_or_none": lambda model: model.get_or_none(pk=uuid4()),
    "exists": lambda model: model.exists(pk=uuid4()),
    "[]": lambda model: model[uuid4()],
    "in_bulk": lambda model: model.in_bulk([uuid4()], "id"),
    "raw": lambda model: model.raw("SELECT 1"),
    "select_for_update": lambda model: model.select_for_update(),
    "create": lambda model: model.create(id=uuid4()),
    "get_or_create": lambda model: model.get_or_create(pk=uuid4()),
    "update_or_create": lambda model: model.update_or_create(pk=uuid4()),
    "bulk_create": lambda model: model.bulk_create([]),
    "bulk_update": lambda model: model.bulk_update([], ["id"]),
    "fetch_for_list": lambda model: model.fetch_for_list([_stored(model)], "company"),
    "save": lambda model: _stored(model).save(),
    "delete": lambda model: _stored(model).delete(),
    "refresh_from_db": lambda model: _stored(model).refresh_from_db(),
    "fetch_related": lambda model: _stored(model).fetch_related("company"),
    "manager": lambda model: model._meta.manager.all(),
    "everywhere": lambda model: model.everywhere(),
}


async def test_every_table_with_a_company_is_walked_here(db: Database) -> None:
    described = Walled.__subclasses__() + CompanyModel.__subclasses__()

    assert {model for model in described if not model._meta.abstract} == set(MODELS)


async def test_without_a_scope_python_refuses_every_entry_point(db: Database) -> None:
    open_doors = []
    for model in MODELS:
        for name, entry in ENTRY_POINTS.items():
            if not await _refused(entry, model):
                open_doors.append(f"{model.__name__}.{name}")

    assert open_doors == []


async def test_outside_its_scope_a_company_cannot_be_asked_for(firms: tuple[Firm, Firm]) -> None:
    north, south = firms
    for model in COMPANY_MODELS:
        with pytest.raises(CompanyScopeMissing):
            model.of(north.id)
        async with company_scope(south.id):
            with pytest.raises(CompanyScopeMissing):
                model.of(north.id)
            with pytest.raises(CompanyScopeMissing):
                model.everywhere()


async def test_a_row_of_another_company_is_neither_saved_nor_deleted(
    firms: tuple[Firm, Firm],
) -> None:
    north, south = firms
    async with company_scope(north.id):
        product = await Product.of(north.id).get(id=north.product)

    async with company_scope(south.id):
        for attempt in (product.save, product.delete, product.refresh_from_db):
            with pytest.raises(CompanyScopeMissing):
                await attempt()


async def test_a_scope_sees_its_own_company_and_no_other(firms: tuple[Firm, Firm]) -> None:
    north, _ = firms
    async with company_scope(north.id):
        assert [row.id for row in await QuerySet(Company).all()] == [north.id]
        assert [row.id for row in await QuerySet(Customer).all()] == [north.customer]
        assert [row.id for row in await QuerySet(Product).all()] == [north.product]


async def test_the_scoped_company_s_owner_may_be_read_but_not_changed(
    firms: tuple[Firm, Firm],
) -> None:
    north, _ = firms
    async with company_scope(north.id):
        assert [user.id for user in await QuerySet(User).all()] == [north.owner]
        assert await QuerySet(User).filter(id=north.owner).update(name="X") == 0


async def test_without_the_python_filter_postgresql_still_refuses(
    firms: tuple[Firm, Firm],
) -> None:
    for model in MODELS:
        python_s_guard, model._meta.manager = model._meta.manager, Manager(model)
        try:
            with pytest.raises(OperationalError, match=r"app\.company_id|type uuid"):
                await model.all()
        finally:
            model._meta.manager = python_s_guard


async def test_a_used_connection_refuses_as_a_fresh_one_does(
    firms: tuple[Firm, Firm],
) -> None:
    await _all_at_once(*firms)

    for _ in range(5):
        with pytest.raises(OperationalError):
            await QuerySet(Customer).all()


async def test_rows_of_another_company_can_be_neither_written_nor_moved(
    firms: tuple[Firm, Firm],
) -> None:
    north, south = firms
    spy = Product(company_id=south.id, name="Spy", price=Decimal(1))
    with pytest.raises(OperationalError, match="row-level security"):
        async with company_scope(north.id):
            await Product.of(north.id).bulk_create([spy])
    with pytest.raises(OperationalError, match="row-level security"):
        async with company_scope(north.id):
            await Product.of(north.id).update(company_id=south.id)
    async with company_scope(north.id):
        assert await QuerySet(Product).filter(id=south.product).update(name="Spy") == 0
        assert await QuerySet(Product).filter(id=south.product).delete() == 0


@pytest.mark.parametrize("foreign", ["customer", "product"])
async def test_a_sale_across_companies_is_refused(firms: tuple[Firm, Firm], foreign: str) -> None:
    north, south = firms
    ids = {"customer_id": north.customer, "product_id": north.product}
    ids[f"{foreign}_id"] = getattr(south, foreign)

    with pytest.raises(IntegrityError):
        async with company_scope(north.id):
            await Sale.create(company_id=north.id, amount=Decimal("98.00"), **_any(ids))


async def test_a_sale_within_a_company_is_kept(firms: tuple[Firm, Firm]) -> None:
    north, _ = firms
    async with company_scope(north.id):
        sale = await Sale.create(
            company_id=north.id,
            customer_id=north.customer,
            product_id=north.product,
            amount=Decimal("98.00"),
        )

        assert (sale.currency, sale.payment_status, sale.metadata) == ("USD", "pending", {})


async def test_the_log_of_another_company_s_customer_is_refused(firms: tuple[Firm, Firm]) -> None:
    north, south = firms
    with pytest.raises(IntegrityError):
        async with company_scope(north.id):
            await _log(north.id, south.customer)


async def test_a_log_outlives_its_customer_and_keeps_its_company(
    firms: tuple[Firm, Firm],
) -> None:
    north, _ = firms
    async with company_scope(north.id):
        log = await _log(north.id, north.customer)
        await Customer.of(north.id).filter(id=north.customer).delete()
        await log.refresh_from_db()

        assert (log.company_id, log.customer_id) == (north.id, None)  # type: ignore[attr-defined]


async def test_the_system_scope_sees_and_writes_all(firms: tuple[Firm, Firm]) -> None:
    north, south = firms
    async with system_scope():
        assert {row.id for row in await Company.everywhere()} == {north.id, south.id}
        assert {row.id for row in await User.everywhere()} == {north.owner, south.owner}
        product = await Product.of(south.id).get(id=south.product)
        product.name = "Plan B"
        await product.save()
        await product.delete()


async def test_scopes_do_not_nest_and_end_with_their_block(firms: tuple[Firm, Firm]) -> None:
    north, _ = firms
    async with company_scope(north.id):
        with pytest.raises(CompanyScopeMissing):
            async with system_scope():
                pass
    with pytest.raises(CompanyScopeMissing):
        Product.of(north.id)


async def test_a_scope_that_fails_changes_nothing(firms: tuple[Firm, Firm]) -> None:
    with pytest.raises(ZeroDivisionError):
        await _delete_and_fail()

    async with system_scope():
        assert await Product.everywhere().count() == 2


async def test_an_advisory_lock_needs_a_scope(db: Database) -> None:
    with pytest.raises(CompanyScopeMissing):
        await advisory_lock("x")


async def test_a_scope_opens_although_the_server_ended_the_pooled_connections(
    firms: tuple[Firm, Firm], admin_url: str, database: str
) -> None:
    north, _ = firms
    admin = await asyncpg.connect(admin_url)
    try:
        for _ in range(20):
            await _end_connections(admin, database)
            async with company_scope(north.id):
                assert await Product.of(north.id).count() == 1
    finally:
        await admin.close()


async def test_scopes_cancelled_at_any_moment_give_their_connections_back(
    firms: tuple[Firm, Firm],
) -> None:
    north, _ = firms
    await _all_at_once(north)  # Fills the pool.
    for turns in range(60):  # More than the pool holds, each cancelled a little later.
        task = asyncio.create_task(_look_around(north))
        for _ in range(turns % 12):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async with asyncio.timeout(5):
        await _all_at_once(north)


async def _refused(entry: Callable[[type[Walled]], Any], model: type[Walled]) -> bool:
    try:
        await entry(model)
    except CompanyScopeMissing:
        return True
    return False


async def _delete_and_fail() -> None:
    async with system_scope():
        await Product.everywhere().delete()
        raise ZeroDivisionError


async def _all_at_once(*firms: Firm) -> None:
    async with asyncio.TaskGroup() as group:
        for firm in firms * 5:
            group.create_task(_look_around(firm))


async def _look_around(firm: Firm) -> None:
    async with company_scope(firm.id):
        assert await QuerySet(Customer).all().values_list("id", flat=True) == [firm.customer]


async def _log(company_id: UUID, customer_id: UUID) -> AgentLog:
    return await AgentLog.create(
        company_id=company_id,
        customer_id=customer_id,
        agent_type="customer-acquisition",
        event_type="message_sent",
        event_data={},
    )


async def _end_connections(admin: asyncpg.Connection, url: str) -> None:
    name = url.partition("?")[0].rpartition("/")[2]
    query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1"
    await admin.execute(query, name)


def _stored(model: type[Walled]) -> Walled:
    row = model.construct(id=uuid4(), company_id=uuid4())
    row._saved_in_db = True
    return row


def _any(values: dict[str, UUID]) -> dict[str, Any]:
    return dict(values)
