"""Where a company's alerts and events go: what it says itself, else the configuration."""

from dataclasses import dataclass

from bot.config import Settings
from bot.whatsapp.files import phone_of
from models.alert_settings import Addressee
from models.alerts import Outlet

INSTALLATION = "installation"
"""Whose secret signs what goes to the webhook of the configuration."""


@dataclass(frozen=True, slots=True)
class Route:
    """One way to an owner or an integrator; *signer* is whose secret signs a webhook."""

    outlet: Outlet
    address: str
    signer: str = ""


def routes(company: Addressee, settings: Settings) -> dict[Outlet, Route]:
    """The ways a company's messages can go now."""
    found = [_webhook(company, settings), _email(company, settings), _own_chat(company, settings)]
    events = Route(Outlet.EVENTS, company.events or "", str(company.company_id))
    return {route.outlet: route for route in (*found, events) if route.address}


def _webhook(company: Addressee, settings: Settings) -> Route:
    if company.webhook is None:
        return Route(Outlet.WEBHOOK, settings.alerts.webhook, INSTALLATION)
    return Route(Outlet.WEBHOOK, company.webhook, str(company.company_id))


def _email(company: Addressee, settings: Settings) -> Route:
    address = company.owner_email if company.email is None else company.email
    return Route(Outlet.EMAIL, address if settings.mail.host else "")


def _own_chat(company: Addressee, settings: Settings) -> Route:
    wished = settings.alerts.whatsapp if company.whatsapp is None else company.whatsapp
    number = phone_of(company.device).lstrip("+")
    possible = wished and settings.whatsapp.enabled and number
    return Route(Outlet.WHATSAPP, f"{number}@s.whatsapp.net" if possible else "")
