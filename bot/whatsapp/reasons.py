"""Every reason for the state of a company's WhatsApp: its way out, and the words for people."""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Phase(StrEnum):
    """The three states the key ``whatsapp_state:{companyId}`` knows."""

    DISCONNECTED = "disconnected"
    QR_PENDING = "qr_pending"
    CONNECTED = "connected"


class Reason(StrEnum):
    """What is behind the phase."""

    NEVER_PAIRED = "never_paired"
    PAIRING = "pairing"
    CONNECTING = "connecting"
    ONLINE = "online"
    PHONE_ASLEEP = "phone_asleep"
    RECONNECTING = "reconnecting"
    UNREACHABLE = "unreachable"
    LOGGED_OUT = "logged_out"
    OFFLINE_LONG = "phone_offline_long"
    LOCKED = "account_locked"
    BANNED = "banned"
    BANNED_UNTIL = "banned_until"
    REPLACED = "replaced_elsewhere"
    OUTDATED = "client_outdated"
    PASSKEY = "passkey_asked"
    NUMBER_IN_USE = "number_in_use"
    NUMBER_CHANGED = "number_changed"
    DAMAGED = "session_file_damaged"
    FILE_HELD = "session_file_held"
    FAULT = "fault"
    LIBRARY_MISSING = "library_missing"
    NO_ROOM = "no_room"
    STOPPED = "stopped"


class WayOut(StrEnum):
    """What ends a reason. `bot.whatsapp.patience` holds the pauses of those tried again."""

    BY_ITSELF = "the session goes on"
    BACK_OFF = "tried again, with growing pauses"
    NOW_AND_THEN = "one try after a long pause"
    WHEN_OVER = "one try when it is over"
    OWNER_PAIRS = "the owner pairs the phone"
    OPERATOR_ACTS = "the operator acts"


@dataclass(frozen=True, slots=True)
class Meaning:
    """A reason's phase, its way out, and its words: what is so, and what to do next."""

    phase: Phase
    way_out: WayOut
    es: str
    en: str
    next_es: str
    next_en: str


_OFF = Phase.DISCONNECTED
_PAIR_ES = "Vuelve a vincular el teléfono con `lyrox pair`."
_PAIR_EN = "Pair the phone again with `lyrox pair`."
_NOTHING = ("No tienes que hacer nada.", "Nothing to do.")

MEANINGS = MappingProxyType(
    {
        Reason.NEVER_PAIRED: Meaning(
            _OFF,
            WayOut.OWNER_PAIRS,
            "Esta empresa todavía no tiene un WhatsApp vinculado.",
            "This company has no WhatsApp paired yet.",
            "Vincula el teléfono con `lyrox pair`.",
            "Pair the phone with `lyrox pair`.",
        ),
        Reason.PAIRING: Meaning(
            Phase.QR_PENDING,
            WayOut.OWNER_PAIRS,
            "Hay un código QR esperando que lo escanees.",
            "A QR code is waiting to be scanned.",
            "En el teléfono: WhatsApp, Dispositivos vinculados, Vincular un dispositivo.",
            "On the phone: WhatsApp, Linked devices, Link a device.",
        ),
        Reason.CONNECTING: Meaning(
            _OFF, WayOut.BY_ITSELF, "Conectando con WhatsApp.", "Connecting to WhatsApp.", *_NOTHING
        ),
        Reason.ONLINE: Meaning(
            Phase.CONNECTED,
            WayOut.BY_ITSELF,
            "WhatsApp conectado.",
            "WhatsApp is connected.",
            *_NOTHING,
        ),
        Reason.PHONE_ASLEEP: Meaning(
            Phase.CONNECTED,
            WayOut.BY_ITSELF,
            "WhatsApp conectado, pero el teléfono lleva 10 días sin dar señales de vida{detail}.",
            "WhatsApp is connected, but the phone has given no sign of life for 10 days{detail}.",
            "Conecta el teléfono a internet y abre WhatsApp: a los 14 días WhatsApp lo desvincula.",
            "Bring the phone online and open WhatsApp: after 14 days WhatsApp unlinks it.",
        ),
        Reason.RECONNECTING: Meaning(
            _OFF,
            WayOut.BY_ITSELF,
            "Se cortó la conexión con WhatsApp y se está recuperando.",
            "The connection to WhatsApp was lost and is coming back.",
            *_NOTHING,
        ),
        Reason.UNREACHABLE: Meaning(
            _OFF,
            WayOut.BACK_OFF,
            "No se llega a WhatsApp desde este equipo; se intenta de nuevo cada pocos minutos.",
            "WhatsApp cannot be reached from this machine; it is tried again every few minutes.",
            "Revisa la conexión a internet, el cortafuegos y HTTPS_PROXY.",
            "Check the internet connection, the firewall and HTTPS_PROXY.",
        ),
        Reason.LOGGED_OUT: Meaning(
            _OFF,
            WayOut.OWNER_PAIRS,
            "El teléfono cerró la sesión de este dispositivo vinculado.",
            "The phone logged this linked device out.",
            _PAIR_ES,
            _PAIR_EN,
        ),
        Reason.OFFLINE_LONG: Meaning(
            _OFF,
            WayOut.OWNER_PAIRS,
            "WhatsApp cerró la sesión porque el teléfono pasó unas dos semanas sin conexión.",
            "WhatsApp ended the session because the phone was offline for about two weeks.",
            f"Conecta el teléfono a internet. {_PAIR_ES}",
            f"Bring the phone online. {_PAIR_EN}",
        ),
        Reason.LOCKED: Meaning(
            _OFF,
            WayOut.OWNER_PAIRS,
            "WhatsApp cerró esta cuenta en todas partes: cambió de teléfono o está bloqueada.",
            "WhatsApp signed this account out everywhere: its phone was changed, or it is banned.",
            f"Abre WhatsApp en el teléfono y haz lo que te pida. {_PAIR_ES}",
            f"Open WhatsApp on the phone and do what it asks. {_PAIR_EN}",
        ),
        Reason.BANNED: Meaning(
            _OFF,
            WayOut.OWNER_PAIRS,
            "WhatsApp bloqueó este número.",
            "WhatsApp has banned this number.",
            "Abre WhatsApp en el teléfono y pide una revisión; luego vincúlalo otra vez.",
            "Open WhatsApp on the phone and ask for a review; then pair it again.",
        ),
        Reason.BANNED_UNTIL: Meaning(
            _OFF,
            WayOut.WHEN_OVER,
            "WhatsApp suspendió este número por un tiempo{until}.",
            "WhatsApp has suspended this number for a while{until}.",
            "Espera a que termine; después se conecta una vez más por sí solo.",
            "Wait until it ends; it connects once more by itself.",
        ),
        Reason.REPLACED: Meaning(
            _OFF,
            WayOut.NOW_AND_THEN,
            "Esta misma sesión de WhatsApp se abrió en otro equipo.",
            "This very WhatsApp session was opened on another machine.",
            "Apaga la otra copia de LYROX que usa los mismos archivos de sesión.",
            "Stop the other copy of LYROX that uses the same session files.",
        ),
        Reason.OUTDATED: Meaning(
            _OFF,
            WayOut.OPERATOR_ACTS,
            "WhatsApp ya no acepta esta versión del cliente.",
            "WhatsApp no longer accepts this version of the client.",
            "Actualiza LYROX y reinicia el servicio.",
            "Upgrade LYROX and restart the service.",
        ),
        Reason.PASSKEY: Meaning(
            _OFF,
            WayOut.OWNER_PAIRS,
            "WhatsApp pide una llave de acceso para vincular la cuenta y LYROX no puede darla.",
            "WhatsApp asks for a passkey to link this account, and LYROX cannot give it.",
            "Usa otra cuenta de WhatsApp, o prueba de nuevo dentro de unos días.",
            "Use another WhatsApp account, or try again in a few days.",
        ),
        Reason.NUMBER_IN_USE: Meaning(
            _OFF,
            WayOut.OWNER_PAIRS,
            "Otra empresa de esta instalación ya usa este número de WhatsApp.",
            "Another company of this installation already uses this WhatsApp number.",
            "Vincula otro número con `lyrox pair`, o desvincula antes la otra empresa.",
            "Pair another number with `lyrox pair`, or unlink the other company first.",
        ),
        Reason.NUMBER_CHANGED: Meaning(
            _OFF,
            WayOut.OWNER_PAIRS,
            "El teléfono que se vinculó{detail} no es el número de antes, y nadie lo confirmó.",
            "The phone that was paired{detail} is not the number of before; nobody confirmed it.",
            "Confírmalo o desvincúlalo con `lyrox pair`.",
            "Confirm it, or have it unlinked, with `lyrox pair`.",
        ),
        Reason.DAMAGED: Meaning(
            _OFF,
            WayOut.OWNER_PAIRS,
            "El archivo de la sesión de WhatsApp estaba dañado y se apartó{detail}.",
            "The file of the WhatsApp session was damaged and has been set aside{detail}.",
            f"No se perdió ningún mensaje guardado. {_PAIR_ES}",
            f"No stored message was lost. {_PAIR_EN}",
        ),
        Reason.FILE_HELD: Meaning(
            _OFF,
            WayOut.BACK_OFF,
            "Otro proceso tiene abierto el archivo de la sesión de WhatsApp{detail}.",
            "Another process holds the file of the WhatsApp session{detail}.",
            "Espera a que termine, o ciérralo; después se conecta por sí solo.",
            "Wait until it ends, or stop it; then it connects by itself.",
        ),
        Reason.FAULT: Meaning(
            _OFF,
            WayOut.BACK_OFF,
            "La sesión de WhatsApp falló{detail} y se reinicia sola.",
            "The WhatsApp session failed{detail} and starts again by itself.",
            "Si se repite, mira el registro con `journalctl -u lyrox-worker`.",
            "If it happens again, look at the log with `journalctl -u lyrox-worker`.",
        ),
        Reason.LIBRARY_MISSING: Meaning(
            _OFF,
            WayOut.OPERATOR_ACTS,
            "Falta la biblioteca de WhatsApp o no funciona{detail}.",
            "The WhatsApp library is missing or does not work{detail}.",
            "Reinstala las dependencias con `make .venv` y reinicia.",
            "Install the dependencies again with `make .venv` and restart.",
        ),
        Reason.NO_ROOM: Meaning(
            _OFF,
            WayOut.OPERATOR_ACTS,
            "Este proceso ya tiene todas las sesiones que puede; la empresa espera un lugar.",
            "This process holds as many sessions as it may; the company waits for room.",
            "Inicia otro proceso con `lyrox run --shard 1` (2, 3...); o espera a que uno termine.",
            "Start another one, `lyrox run --shard 1` (2, 3...); it also begins when one ends.",
        ),
        Reason.STOPPED: Meaning(
            _OFF,
            WayOut.OPERATOR_ACTS,
            "LYROX está detenido para esta empresa.",
            "LYROX is stopped for this company.",
            "Inicia el servicio con `lyrox run`.",
            "Start the service with `lyrox run`.",
        ),
    }
)
