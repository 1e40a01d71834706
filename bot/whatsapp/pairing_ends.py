"""How a pairing can end that no session ever does, and the sentence for a person at a terminal."""

from types import MappingProxyType

from bot.whatsapp.states import Reason, State

ANOTHER_NUMBER = "another_number"
"""The phone that was linked is not the one that was meant."""
TOO_MANY_LETTERS = "too_many_letters"
NO_SUCH_NUMBER = "no_such_number"

_FAILURES = MappingProxyType({reason.value: reason for reason in Reason})

# In the same two languages as the states.
_ENDS = MappingProxyType(
    {
        "expired": (
            "El código venció sin que nadie lo escaneara. Pide uno nuevo con `lyrox pair`.",
            "The code expired and nobody scanned it. Get a new one with `lyrox pair`.",
        ),
        "refused": (
            "El teléfono o WhatsApp rechazó la vinculación. Pide un código nuevo con `lyrox pair`.",
            "The phone or WhatsApp refused the pairing. Get a new code with `lyrox pair`.",
        ),
        "unreachable": (
            "No se llega a WhatsApp. Revisa internet, cortafuegos y HTTPS_PROXY y prueba otra vez.",
            "WhatsApp cannot be reached. Check internet, firewall and HTTPS_PROXY, then try again.",
        ),
        "busy": (
            "La sesión de WhatsApp de esta empresa está en uso. Espera a que termine.",
            "The WhatsApp session of this company is in use. Wait until that ends.",
        ),
        ANOTHER_NUMBER: (
            "Ese teléfono tiene otro número que el anterior y se desvinculó. Prueba otra vez.",
            "That phone has another number than the one before and was unlinked. Try again.",
        ),
        TOO_MANY_LETTERS: (
            "WhatsApp no da más códigos a ese número por ahora. Espera un rato o escanea el QR.",
            "WhatsApp gives that number no more codes for now. Wait a while, or scan the QR code.",
        ),
        NO_SUCH_NUMBER: (
            "WhatsApp no dio un código para ese número. Revísalo, con el código del país.",
            "WhatsApp gave no code for that number. Check it, country code included.",
        ),
    }
)


def failure_sentence(reason: str, detail: str = "", language: str = "es") -> str:
    """What to tell a person about a pairing that failed."""
    if reason in _ENDS:
        return _ENDS[reason][0 if language == "es" else 1]
    return State(_FAILURES.get(reason, Reason.FAULT), detail=detail).sentence(language)


def letters_refusal(error: str) -> str:
    """Why there are no letters, by the client's words for WhatsApp's answer."""
    return TOO_MANY_LETTERS if "429" in error or "overlimit" in error else NO_SUCH_NUMBER
