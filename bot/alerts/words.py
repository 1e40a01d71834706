"""What owners read: for each kind what is so, what it means for customers, and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from bot.alerts.kinds import Kind
from bot.alerts.machine_words import MACHINE


@dataclass(frozen=True, slots=True)
class Words:
    """One kind in one language; a slot is filled from the incident's facts.

    ``means`` is about the customers. ``over`` is said when it has ended. Where a state of WhatsApp
    is the reason, ``{state}`` is its own sentence, with its next step in it. ``{Customer}`` begins
    a sentence, ``{customer}`` is inside of one.
    """

    title: str
    what: str
    means: str
    next: str
    over: str


_DOWN_ES = (
    "Tus clientes no reciben respuesta mientras tanto. Lo que escriban se guarda y se contesta al"
    " volver, si no han pasado {hours} horas."
)
_DOWN_EN = (
    "Your customers get no answer meanwhile. What they write is kept and answered afterwards,"
    " unless {hours} hours have passed."
)
_UP_ES = "WhatsApp está conectado otra vez y tus clientes reciben respuesta."
_UP_EN = "WhatsApp is connected again, and your customers are answered."

_TITLES = {
    Kind.LOGGED_OUT: ("WhatsApp se desvinculó", "WhatsApp was unlinked"),
    Kind.BANNED: ("WhatsApp bloqueó el número", "WhatsApp has banned the number"),
    Kind.REPLACED: ("La sesión de WhatsApp está en otro equipo", "WhatsApp runs elsewhere"),
    Kind.OUTDATED: ("WhatsApp pide una versión nueva", "WhatsApp asks for a newer version"),
    Kind.PASSKEY: ("WhatsApp pide una llave de acceso", "WhatsApp asks for a passkey"),
    Kind.NUMBER_IN_USE: ("El número ya está en uso", "The number is in use already"),
    Kind.FAULT: ("La sesión de WhatsApp falla", "The WhatsApp session fails"),
    Kind.OFFLINE: ("WhatsApp está sin conexión", "WhatsApp is offline"),
}

_LINE_DOWN = {
    kind: (
        Words(es, "{state}", _DOWN_ES, "", _UP_ES),
        Words(en, "{state}", _DOWN_EN, "", _UP_EN),
    )
    for kind, (es, en) in _TITLES.items()
}
_OFFLINE = (
    Words(
        _TITLES[Kind.OFFLINE][0],
        "WhatsApp lleva más de 10 minutos sin conexión. {state}",
        _DOWN_ES,
        "Si no vuelve, mira qué dice `lyrox status`.",
        _UP_ES,
    ),
    Words(
        _TITLES[Kind.OFFLINE][1],
        "WhatsApp has been offline for more than 10 minutes. {state}",
        _DOWN_EN,
        "If it does not come back, see what `lyrox status` says.",
        _UP_EN,
    ),
)
_OTHERS = {
    Kind.PHONE_ASLEEP: (
        Words(
            "El teléfono no da señales de vida",
            "{state}",
            "Tus clientes todavía reciben respuesta.",
            "",
            "El teléfono volvió a dar señales de vida.",
        ),
        Words(
            "The phone gives no sign of life",
            "{state}",
            "Your customers are still answered.",
            "",
            "The phone has given a sign of life again.",
        ),
    ),
    Kind.HAND_OVER: (
        Words(
            "{Customer} espera a una persona",
            "{Customer} espera que le conteste una persona{why}.",
            "El asistente calla en ese chat hasta {until}.",
            "Contéstale desde WhatsApp.",
            "Nadie contestó a {customer}; el asistente vuelve a atender ese chat.",
        ),
        Words(
            "{Customer} waits for a person",
            "{Customer} waits for a person to answer{why}.",
            "The assistant keeps silent in that chat until {until}.",
            "Answer in WhatsApp.",
            "Nobody answered {customer}; the assistant takes that chat again.",
        ),
    ),
    Kind.LLM_DOWN: (
        Words(
            "El modelo de lenguaje no contesta",
            "Ningún modelo de lenguaje contesta.",
            "Solo se contesta lo sencillo (saludos, precios, enlaces de pago); lo demás espera y"
            " después pasa a una persona.",
            "Revisa la cuenta y la clave del proveedor; `lyrox doctor` dice qué falla.",
            "El modelo de lenguaje contesta otra vez.",
        ),
        Words(
            "The language model does not answer",
            "No language model answers.",
            "Only simple things are answered (greetings, prices, payment links); the rest waits,"
            " and is then handed to a person.",
            "Check the provider's account and key; `lyrox doctor` says what fails.",
            "The language model answers again.",
        ),
    ),
    Kind.TOO_OLD: (
        Words(
            "Mensajes sin respuesta",
            "Mensajes que ya eran demasiado viejos para contestarlos: {count}.",
            "Esos clientes no recibieron respuesta.",
            "Míralos en WhatsApp y contéstales tú.",
            "",
        ),
        Words(
            "Messages without an answer",
            "Messages that were too old to be answered: {count}.",
            "Those customers got no answer.",
            "Look at them in WhatsApp and answer them yourself.",
            "",
        ),
    ),
    Kind.NO_PAYMENT_LINK: (
        Words(
            "{product} no tiene enlace de pago",
            "{Customer} quiso comprar {product}, que no tiene enlace de pago.",
            "El chat pasó a una persona: contéstale desde WhatsApp.",
            "Añade el enlace con `lyrox product set {slug} {product_id} --link URL`.",
            "",
        ),
        Words(
            "{product} has no payment link",
            "{Customer} wanted to buy {product}, which has no payment link.",
            "The chat was handed to a person: answer in WhatsApp.",
            "Add the link with `lyrox product set {slug} {product_id} --link URL`.",
            "",
        ),
    ),
}
_MACHINE = {kind: (Words(*es), Words(*en)) for kind, (es, en) in MACHINE.items()}
_ALL = {**_LINE_DOWN, Kind.OFFLINE: _OFFLINE, **_OTHERS, **_MACHINE}

WORDS: Mapping[tuple[Kind, str], Words] = MappingProxyType(
    {
        (kind, language): words
        for kind, both in _ALL.items()
        for language, words in zip(("es", "en"), both, strict=True)
    }
)

PAIRING = {
    "es": (
        "Vincula el teléfono aquí:",
        "Orden para vincularlo: `lyrox pair {slug}`",
    ),
    "en": ("Pair the phone here:", "To pair it: `lyrox pair {slug}`"),
}
"""Before a link to the pairing page, and what is said where there is none."""
GOOD_FOR = {
    "es": (
        "El enlace vale {minutes} minutos. Si ya pasaron, pide otro a quien administra LYROX"
        " (`lyrox pair {slug} --link`) o espera el próximo aviso, que en {remind} horas trae uno"
        " nuevo."
    ),
    "en": (
        "The link is good for {minutes} minutes. If they are over, ask whoever runs LYROX for"
        " another (`lyrox pair {slug} --link`), or wait for the next alert, which brings a new one"
        " in {remind} hours."
    ),
}
"""After the link: owners read alerts late."""

STILL = {"es": "Sigue así desde el {began}.", "en": "It has been so since {began}."}
UNTIL = {
    "es": ("las %H:%M", "el %Y-%m-%d a las %H:%M"),
    "en": ("%H:%M", "%H:%M on %Y-%m-%d"),
}
"""A time of today, and of another day."""
SUSPENDED = {"es": "Termina el %Y-%m-%d a las %H:%M.", "en": "It ends at %H:%M on %Y-%m-%d."}
"""When a suspension is over, by the company's clocks; the state's sentence would say it in UTC."""
NAMELESS = {"es": "un cliente", "en": "a customer"}
TEST = {
    "es": (
        "Aviso de prueba",
        "Este es un aviso de prueba de LYROX para {company}. Si lo lees, este canal funciona.",
    ),
    "en": (
        "Test alert",
        "This is a test alert of LYROX for {company}. If you read it, this channel works.",
    ),
}
WHY = {
    "es": {
        "asked_for_a_person": ": lo pidió",
        "no_payment_link": ": quiere comprar",
        "no answer was possible": ": el asistente no pudo contestar",
        "another_robot": ": parece que contesta otro robot, y el asistente ha callado",
    },
    "en": {
        "asked_for_a_person": ": they asked for one",
        "no_payment_link": ": they want to buy",
        "no answer was possible": ": the assistant could not answer",
        "another_robot": ": another robot seems to answer, so the assistant has fallen silent",
    },
}
