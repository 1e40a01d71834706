"""Small things that tests of the telling need."""

from typing import Any
from uuid import UUID

from bot.alerts.carriers import Parcel
from bot.alerts.composing import Composed
from bot.alerts.routes import Route
from models.alerts import Outlet

COMPANY, EVENT = UUID(int=7), UUID(int=9)


def parcel(outlet: Outlet, address: str, **changes: Any) -> Parcel:
    """An alert on its way, unless *changes* say otherwise."""
    facts: dict[str, Any] = {
        "event_id": EVENT,
        "company_id": COMPANY,
        "company": "Peña & Cía",
        "language": "es",
        "route": Route(outlet, address, str(COMPANY)),
        "body": b'{"type":"alert.begun"}',
        "composed": Composed("WhatsApp se desvinculó", "El teléfono cerró la sesión.\nOtra línea."),
    }
    return Parcel(**(facts | changes))
