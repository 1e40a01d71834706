"""``lyrox alert``: where a company's alerts go, and whether they arrive."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from bot.alert_settings import PLAIN_HTTP
from bot.alerts.carriers import NotDelivered, master_secret
from bot.alerts.composing import TEST_ALERT, language_of, zone_of
from bot.alerts.dispatch import parcel_of
from bot.alerts.opening import link_maker, open_carriers
from bot.alerts.routes import INSTALLATION, Route, routes
from bot.alerts.signing import signing_secret
from bot.cli.arguments import Arguments
from bot.cli.exits import Exit
from bot.cli.output import count, table
from bot.cli.stores import open_database
from bot.config import Settings, find, load, secret
from models.alert_settings import CHANNELS, Addressee, addressees, set_channels
from models.alerts import AlertDesk, Letter, Outlet, Retried
from models.companies import find_company
from models.deliveries import Delivery
from models.errors import BadInput, StartupRefused
from models.tenancy import system_scope

LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one test message."""

    channel: str
    address: str
    ok: bool
    says: str


def show_alerts(arguments: Arguments) -> int:
    """Print where a company's alerts and events go now."""
    settings = load(find(arguments.config))
    facts = asyncio.run(_show(settings, arguments.company))
    if arguments.json:
        print(json.dumps(facts, ensure_ascii=False))
    else:
        print("\n".join(f"{name}: {'-' if fact is None else fact}" for name, fact in facts.items()))
    return Exit.DONE


def set_alerts(arguments: Arguments) -> int:
    """Change what the arguments name and leave the rest."""
    settings = load(find(arguments.config))
    given = {name: getattr(arguments, name) for name in CHANNELS}
    values = {name: value for name, value in given.items() if value is not None}
    if not values:
        options = ", ".join(f"--{name}" for name in CHANNELS)
        raise BadInput(f"nothing to change; give at least one of {options}")
    for name, value in values.items():
        if value.startswith("http://") and not settings.alerts.private_networks:
            raise BadInput(f"{name}: {PLAIN_HTTP}")
    slug = asyncio.run(_set(settings, arguments.company, values))
    print(f"changed {slug}; `lyrox alert test {slug}` tries it")
    return Exit.DONE


def show_secret(arguments: Arguments) -> int:
    """Print what a receiver checks signatures with."""
    settings = load(find(arguments.config))
    signer = (
        asyncio.run(_signer(settings, arguments.company)) if arguments.company else INSTALLATION
    )
    try:
        print(signing_secret(master_secret(secret), signer))
    except NotDelivered as error:
        raise StartupRefused(str(error)) from None
    return Exit.DONE


def try_alerts(arguments: Arguments) -> int:
    """Send a test by every channel of a company; 1 if any of them fails."""
    settings = load(find(arguments.config))
    verdicts = asyncio.run(_try(settings, arguments.company, arguments.wait))
    well = bool(verdicts) and all(verdict.ok for verdict in verdicts)
    if arguments.json:
        print(json.dumps({"ok": well, "channels": [asdict(each) for each in verdicts]}))
    elif verdicts:
        print(table(("CHANNEL", "TO", "OK", "WHAT HAPPENED"), map(_row, verdicts)))
    else:
        print("no channel; `lyrox alert set` or the sections [alerts] and [mail] give one")
    return Exit.DONE if well else Exit.FAILED


def retry_alerts(arguments: Arguments) -> int:
    """Send dead letters again, of a company or of all; the daemon carries them."""
    settings = load(find(arguments.config))
    done = asyncio.run(_retry(settings, arguments.company))
    if arguments.json:
        print(json.dumps(asdict(done)))
        return Exit.DONE
    over = (
        f"; {count(done.over, 'alert')} dropped, because the trouble is over" if done.over else ""
    )
    if done.again:
        letters = count(done.again, "dead letter")
        print(f"{letters} on the way again{over}; `lyrox status` shows what is not taken")
    else:
        print(f"nothing to send again{over}")
    return Exit.DONE


async def _retry(settings: Settings, ref: str | None) -> Retried:
    async with open_database(settings) as database:
        company = await find_company(ref) if ref else None
        return await AlertDesk(database.call).retry(
            company.id if company else None, datetime.now(UTC)
        )


async def _show(settings: Settings, ref: str) -> dict[str, str | None]:
    async with open_database(settings):
        company = await _find(ref)
    ways = routes(company, settings)
    addresses = {
        outlet.value: ways[outlet].address if outlet in ways else None for outlet in Outlet
    }
    return {
        "language": language_of(company, settings),
        "time_zone": zone_of(company, settings),
        "quiet_hours": settings.alerts.quiet_hours or None,
        **addresses,
    }


async def _set(settings: Settings, ref: str, values: dict[str, str]) -> str:
    async with open_database(settings):
        company = await find_company(ref)
        await set_channels(company.id, values)
    return company.slug


async def _signer(settings: Settings, ref: str) -> str:
    async with open_database(settings):
        return str((await find_company(ref)).id)


async def _try(settings: Settings, ref: str, wait: float) -> list[Verdict]:
    async with open_database(settings):
        company = await _find(ref)
        return [verdict async for verdict in _verdicts(settings, company, wait)]


async def _verdicts(settings: Settings, company: Addressee, wait: float) -> AsyncIterator[Verdict]:
    async with open_carriers(settings) as carriers:
        for outlet, route in routes(company, settings).items():
            if outlet is Outlet.WHATSAPP:
                yield await _by_the_daemon(company, route, wait)
                continue
            parcel = parcel_of(
                _letter(company, outlet), route, company, settings, link_maker(settings)
            )
            try:
                yield _verdict(route, await carriers[outlet].carry(parcel))
            except NotDelivered as error:
                yield _verdict(route, str(error), ok=False)


async def _by_the_daemon(company: Addressee, route: Route, wait: float) -> Verdict:
    """Only the process that holds the session can write into the chat."""
    letter = _letter(company, route.outlet)
    key: dict[str, Any] = {
        "company_id": company.company_id,
        "channel": route.outlet.value,
        "source": f"test-{letter.event_id}",
    }
    try:
        async with system_scope():
            row = await Delivery.create(
                **key,
                type=letter.type,
                payload=dict(letter.payload),
                created_at=letter.created_at,
                next_try_at=letter.created_at,
            )
        return await _taken(row, route, wait)
    finally:  # Also at Ctrl-C: the owner is to get no test that nobody waits for.
        await _drop(key)


async def _taken(row: Delivery, route: Route, wait: float) -> Verdict:
    end = asyncio.get_running_loop().time() + wait
    while asyncio.get_running_loop().time() < end:
        await asyncio.sleep(LOOK_SECONDS)
        async with system_scope():
            await row.refresh_from_db()
        if row.state != "waiting":
            return _verdict(route, row.reason or row.state, ok=row.state == "delivered")
    why = row.reason or "WhatsApp is not connected, or no daemon runs; `lyrox status` says which"
    return _verdict(route, f"not taken within {wait:g} s: {why}", ok=False)


async def _drop(key: Mapping[str, object]) -> None:
    async with system_scope():
        await (
            Delivery.everywhere()
            .filter(**key, state="waiting")
            .update(state="dropped", reason="a test that nobody took", ended_at=datetime.now(UTC))
        )


async def _find(ref: str) -> Addressee:
    company = await find_company(ref)
    async with system_scope():
        return (await addressees([company.id]))[company.id]


def _letter(company: Addressee, outlet: Outlet) -> Letter:
    now = datetime.now(UTC)
    return Letter(
        id=0,
        company_id=company.company_id,
        event_id=uuid4(),
        outlet=outlet,
        type=TEST_ALERT,
        payload={"at": now.isoformat()},
        attempt=1,
        created_at=now,
        over=False,
    )


def _verdict(route: Route, says: str, *, ok: bool = True) -> Verdict:
    return Verdict(route.outlet.value, route.address, ok, says)


def _row(verdict: Verdict) -> tuple[object, ...]:
    return verdict.channel, verdict.address, verdict.ok, verdict.says
