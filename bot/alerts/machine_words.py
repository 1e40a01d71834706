"""What owners read of the machine LYROX runs on: as in `words`, field by field, es before en."""

from collections.abc import Mapping
from types import MappingProxyType

from bot.alerts.kinds import Kind

Texts = tuple[str, str, str, str, str]

_KEPT_ES = (
    "Tus clientes no reciben respuesta mientras tanto. WhatsApp guarda lo que escriban, y se"
    " contesta al volver, si no han pasado {hours} horas."
)
_KEPT_EN = (
    "Your customers get no answer meanwhile. WhatsApp keeps what they write, and it is answered"
    " afterwards, unless {hours} hours have passed."
)

MACHINE: Mapping[Kind, tuple[Texts, Texts]] = MappingProxyType(
    {
        Kind.SET_ASIDE: (
            (
                "Mensajes que LYROX no pudo procesar",
                "Mensajes de WhatsApp que LYROX no pudo procesar por un fallo suyo: {events}.",
                "Esos clientes no recibieron respuesta. Los mensajes están guardados.",
                "Míralos en WhatsApp y contéstales; para recuperarlos: `lyrox aside retry {slug}`.",
                "Los mensajes que LYROX no pudo procesar ya están resueltos.",
            ),
            (
                "Messages that LYROX failed on",
                "Messages that LYROX could not process by a fault of its own: {events}.",
                "Those customers got no answer. The messages are kept.",
                "Look at them in WhatsApp and answer; to take them in: `lyrox aside retry {slug}`.",
                "The messages that LYROX failed on are settled.",
            ),
        ),
        Kind.NOT_TAKEN_IN: (
            (
                "No caben mensajes nuevos",
                "{cause}",
                _KEPT_ES,
                "Quien opera LYROX ve la causa con `lyrox status`.",
                "Los mensajes de tus clientes entran otra vez.",
            ),
            (
                "No room for new messages",
                "{cause}",
                _KEPT_EN,
                "Whoever operates LYROX sees the cause with `lyrox status`.",
                "Your customers' messages come in again.",
            ),
        ),
        Kind.DISK_LOW: (
            (
                "Queda poco espacio en el disco",
                "Al disco de LYROX le quedan unos {free} MB.",
                "Tus clientes todavía reciben respuesta; con el disco lleno ya no.",
                "Quien opera LYROX tiene que hacer sitio.",
                "El disco de LYROX tiene espacio otra vez.",
            ),
            (
                "The disk is nearly full",
                "About {free} MB are left on LYROX's disk.",
                "Your customers are still answered; once the disk is full they are not.",
                "Whoever operates LYROX has to make room.",
                "LYROX's disk has room again.",
            ),
        ),
    }
)

CAUSE = {
    "es": {
        "disk_full": "El disco de LYROX está lleno.",
        "journal_full": "Demasiados mensajes esperan a la base de datos, que no contesta.",
    },
    "en": {
        "disk_full": "LYROX's disk is full.",
        "journal_full": "Too many messages wait for the database, which does not answer.",
    },
}
"""Why new messages find no room."""
