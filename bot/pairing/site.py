"""Wires the pairing page into the daemon: whose page it is, who pairs, and who has which number."""

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from uuid import UUID

from bot.config import Settings
from bot.directory import LeaseDesk
from bot.metrics import Metrics
from bot.pairing.links import Flaw, LinkRefused, open_links
from bot.pairing.pairings import Pairings
from bot.pairing.run import Surroundings
from bot.pairing.view import Facts
from bot.shard import listen_of
from bot.web.pairing_page import PageParts, serve_pairing
from bot.web.visitors import Visitors
from bot.whatsapp.files import CompanyFiles
from bot.whatsapp.pairing import Decide, Pairing
from bot.whatsapp.states import Reason, State
from models.companies import Company, company_of, json_object

log = logging.getLogger(__name__)

States = Callable[[], Mapping[UUID, State]]


@asynccontextmanager
async def pairing_site(
    settings: Settings,
    shard: int,
    *,
    states: States,
    leases: LeaseDesk,
    metrics: Metrics,
    told: Callable[[UUID, str], None] = lambda _company, _end: None,
) -> AsyncIterator[str]:
    """The page, while the context lasts; yields where it answers, "" where it is switched off.

    *states* are those of this process's own sessions; *told* hears whose pairing ended, and how.
    Raises StartupRefused or Unavailable.
    """
    if not settings.web.public_listen:
        yield ""
        return
    around = Surroundings(
        follow=partial(_follow, settings),
        facts=partial(_facts, settings, states),
        claim=leases.claim_number,
        ended=metrics.pairing_ended,
        told=told,
    )
    listen = listen_of(settings.web.public_listen, shard, key="web.public_listen")
    async with Pairings(around) as pairings:
        parts = PageParts(
            links=open_links(settings),
            pairings=pairings,
            visitors=Visitors(settings.web.trusted_proxies),
            device_name=settings.whatsapp.device_name,
            refused=metrics.link_refused,
        )
        async with serve_pairing(listen, parts) as address:
            log.info("the pairing page is open", extra={"listen": address})
            yield address


def _follow(settings: Settings, company_id: UUID, decide: Decide, letters: str) -> Pairing:
    return Pairing(company_id, settings, decide=decide, phone=letters)


async def _facts(settings: Settings, states: States, company_id: UUID) -> Facts:
    """A company that is gone has no page any more."""
    company = await company_of(company_id)
    if company is None:
        raise LinkRefused(Flaw.REVOKED)
    note = CompanyFiles(settings.daemon.state_dir, company_id).read_note()
    return Facts(
        name=company.name,
        state=states().get(company_id) or _recorded(company),
        phone=(note.phone if note else company.whatsapp_phone) or "",
        served=settings.whatsapp.enabled and _is_active(company),
    )


def _is_active(company: Company) -> bool:
    return bool(company.active) and company.owner.status == "active"


def _recorded(company: Company) -> State:
    """What its holder said last."""
    word = str(json_object(company.whatsapp_session_data).get("reason"))
    known = word in {reason.value for reason in Reason}
    return State(Reason(word) if known else Reason.NEVER_PAIRED)
