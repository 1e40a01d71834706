"""Every state a company's WhatsApp can be in, with the sentence that says what to do next."""

from dataclasses import dataclass
from datetime import datetime
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
    RECONNECTING = "reconnecting"
    UNREACHABLE = "unreachable"
    LOGGED_OUT = "logged_out"
    OFFLINE_LONG = "phone_offline_long"
    BANNED = "banned"
    BANNED_UNTIL = "banned_until"
    REPLACED = "replaced_elsewhere"
    OUTDATED = "client_outdated"
    PASSKEY = "passkey_asked"
    NUMBER_IN_USE = "number_in_use"
    FAULT = "fault"
    LIBRARY_MISSING = "library_missing"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Meaning:
    """A reason's phase and its words for the owner: what is so, and what to do next."""

    phase: Phase
    es: str
    en: str
    next_es: str
    next_en: str
    retried: bool = True


_OFF = Phase.DISCONNECTED
_PAIR_ES = "Vuelve a vincular el teléfono con `lyrox pair`."
_PAIR_EN = "Pair the phone again with `lyrox pair`."
_WAIT_ES = "No tienes que hacer nada."
_WAIT_EN = "Nothing to do."

MEANINGS = MappingProxyType(
    {
        Reason.NEVER_PAIRED: Meaning(
            _OFF,
            "Esta empresa todavía no tiene un WhatsApp vinculado.",
            "This company has no WhatsApp paired yet.",
            "Vincula el teléfono con `lyrox pair`.",
            "Pair the phone with `lyrox pair`.",
            retried=False,
        ),
        Reason.PAIRING: Meaning(
            Phase.QR_PENDING,
            "Hay un código QR esperando que lo escanees.",
            "A QR code is waiting to be scanned.",
            "En el teléfono: WhatsApp, Dispositivos vinculados, Vincular un dispositivo.",
            "On the phone: WhatsApp, Linked devices, Link a device.",
        ),
        Reason.CONNECTING: Meaning(
            _OFF, "Conectando con WhatsApp.", "Connecting to WhatsApp.", _WAIT_ES, _WAIT_EN
        ),
        Reason.ONLINE: Meaning(
            Phase.CONNECTED, "WhatsApp conectado.", "WhatsApp is connected.", _WAIT_ES, _WAIT_EN
        ),
        Reason.RECONNECTING: Meaning(
            _OFF,
            "Se cortó la conexión con WhatsApp y se está recuperando.",
            "The connection to WhatsApp was lost and is coming back.",
            _WAIT_ES,
            _WAIT_EN,
        ),
        Reason.UNREACHABLE: Meaning(
            _OFF,
            "No se llega a WhatsApp desde este equipo; se intenta de nuevo cada pocos minutos.",
            "WhatsApp cannot be reached from this machine; it is tried again every few minutes.",
            "Revisa la conexión a internet, el cortafuegos y HTTPS_PROXY.",
            "Check the internet connection, the firewall and HTTPS_PROXY.",
        ),
        Reason.LOGGED_OUT: Meaning(
            _OFF,
            "El teléfono cerró la sesión de este dispositivo vinculado.",
            "The phone logged this linked device out.",
            _PAIR_ES,
            _PAIR_EN,
            retried=False,
        ),
        Reason.OFFLINE_LONG: Meaning(
            _OFF,
            "WhatsApp cerró la sesión porque el teléfono pasó unas dos semanas sin conexión.",
            "WhatsApp ended the session because the phone was offline for about two weeks.",
            f"Conecta el teléfono a internet. {_PAIR_ES}",
            f"Bring the phone online. {_PAIR_EN}",
            retried=False,
        ),
        Reason.BANNED: Meaning(
            _OFF,
            "WhatsApp bloqueó este número.",
            "WhatsApp has banned this number.",
            "Abre WhatsApp en el teléfono y pide una revisión; luego vincúlalo otra vez.",
            "Open WhatsApp on the phone and ask for a review; then pair it again.",
            retried=False,
        ),
        Reason.BANNED_UNTIL: Meaning(
            _OFF,
            "WhatsApp suspendió este número por un tiempo{until}.",
            "WhatsApp has suspended this number for a while{until}.",
            "Espera a que termine; después se conecta una vez más por sí solo.",
            "Wait until it ends; it connects once more by itself.",
        ),
        Reason.REPLACED: Meaning(
            _OFF,
            "Esta misma sesión de WhatsApp se abrió en otro equipo.",
            "This very WhatsApp session was opened on another machine.",
            "Apaga la otra copia de LYROX que usa los mismos archivos de sesión.",
            "Stop the other copy of LYROX that uses the same session files.",
        ),
        Reason.OUTDATED: Meaning(
            _OFF,
            "WhatsApp ya no acepta esta versión del cliente.",
            "WhatsApp no longer accepts this version of the client.",
            "Actualiza LYROX y reinicia el servicio.",
            "Upgrade LYROX and restart the service.",
            retried=False,
        ),
        Reason.PASSKEY: Meaning(
            _OFF,
            "WhatsApp pide una llave de acceso para vincular la cuenta y LYROX no puede darla.",
            "WhatsApp asks for a passkey to link this account, and LYROX cannot give it.",
            "Usa otra cuenta de WhatsApp, o prueba de nuevo dentro de unos días.",
            "Use another WhatsApp account, or try again in a few days.",
            retried=False,
        ),
        Reason.NUMBER_IN_USE: Meaning(
            _OFF,
            "Otra empresa de esta instalación ya usa este número de WhatsApp.",
            "Another company of this installation already uses this WhatsApp number.",
            "Vincula otro número, o desvincula la otra empresa primero.",
            "Pair another number, or unlink the other company first.",
            retried=False,
        ),
        Reason.FAULT: Meaning(
            _OFF,
            "La sesión de WhatsApp falló{detail} y se reinicia sola.",
            "The WhatsApp session failed{detail} and starts again by itself.",
            "Si se repite, mira el registro con `journalctl -u lyrox-worker`.",
            "If it happens again, look at the log with `journalctl -u lyrox-worker`.",
        ),
        Reason.LIBRARY_MISSING: Meaning(
            _OFF,
            "Falta la biblioteca de WhatsApp o no funciona{detail}.",
            "The WhatsApp library is missing or does not work{detail}.",
            "Reinstala las dependencias con `make .venv` y reinicia.",
            "Install the dependencies again with `make .venv` and restart.",
            retried=False,
        ),
        Reason.STOPPED: Meaning(
            _OFF,
            "LYROX está detenido para esta empresa.",
            "LYROX is stopped for this company.",
            "Inicia el servicio con `lyrox run`.",
            "Start the service with `lyrox run`.",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class State:
    """Where a company's WhatsApp stands right now."""

    reason: Reason
    detail: str = ""
    until: datetime | None = None

    @property
    def meaning(self) -> Meaning:
        """Phase and words of the reason."""
        return MEANINGS[self.reason]

    @property
    def phase(self) -> Phase:
        """The document's state."""
        return self.meaning.phase

    def sentence(self, language: str = "es") -> str:
        """What is so, and what to do next, in one line."""
        meaning = self.meaning
        words = (meaning.es, meaning.next_es) if language == "es" else (meaning.en, meaning.next_en)
        return f"{self._filled(words[0], language)} {words[1]}"

    def _filled(self, template: str, language: str) -> str:
        to = "hasta" if language == "es" else "until"
        until = f" ({to} {self.until:%Y-%m-%d %H:%M} UTC)" if self.until else ""
        return template.format(until=until, detail=f" ({self.detail})" if self.detail else "")
