"""The built-in target: rules that greet, name products and prices, and hand out payment links."""

import re

from bot.llm.wishes import asked_beside, buys, declines
from handlers.answer import Action, Answer, Intent, Sentiment
from handlers.language import language
from handlers.money import price_text
from handlers.prompts import Phrases, Prompts, fill
from models.text import one_line, words
from models.values import ProductCard, Sender, Stage, Turn

NAME = "offline"

MOST_PRODUCTS = 12
_READ_CHARACTERS = 500
_GREETING = re.compile(
    r"^(?:hola+s?|buen[oa]s?(?: (?:dias?|tardes|noches))?|saludos|que tal|hey|hi|hello"
    r"|good (?:morning|afternoon|evening))\b"
)
_PRICE = re.compile(
    r"\b(?:precios?|costos?|valor(?:es)?|tarifas?|cuanto (?:\w+ )?(?:cuestan?|valen?|salen?|es|son"
    r"|seria|cobran?|esta|estan)|que (?:cuestan?|valen?)|prices?|how much|cost)\b|^(?:y )?cuanto$"
)
_PRODUCTS = re.compile(
    r"\b(?:productos?|servicios?|catalogo|opciones|planes|programas|informacion|info"
    r"|que (?:tienen|tienes|ofrecen|ofreces|venden|vendes|hay)|mas detalles"
    r"|products?|services?|catalogue|catalog|options|offer|what do you (?:sell|have|do))\b"
)
_FAREWELL = re.compile(
    r"^(?:ok |listo |vale |perfecto |muy bien )?(?:muchas |mil )?(?:gracias|chao|chau|adios|bye"
    r"|hasta luego|nos vemos|thanks|thank you|goodbye)\b"
)
_PICTURE = re.compile(r"\b(?:fotos?|imagen|imagenes|pictures?|photos?|images?)\b")
_YES = re.compile(
    r"^(?:si+|claro|dale|ok|okay|de una|por supuesto|va|vale|perfecto|listo|yes|sure|yeah)"
    r"(?: (?:si|claro|dale|quiero|por favor|porfa|please|me interesa|ayudame))*$"
)
# Words of a name that tell no product from another.
_FUNCTION_WORDS = """
    ante aquella aquello bajo cada como contra cual cuando desde donde durante ella ellas ellos
    entre esta estas este esto estos hacia hasta mediante menos mucho nuestra nuestro otra otras
    otro otros para pero poco porque quien segun sobre solo tambien tanto toda todas todo todos
    tras unas unos usted ustedes
    about after before from have into just more most only other over that their them then these
    they this those what when where which while will with without your
"""
_FUNCTION = frozenset(_FUNCTION_WORDS.split())


class Offline:
    """Answers from the turn alone: its products, its words, its history.

    What no rule knows is declined with None where *only_known*; otherwise a kind sentence
    says what can be asked.
    """

    def __init__(self, prompts: Prompts) -> None:
        self._prompts = prompts
        self._offers = tuple(_question(prompts.say(known).price) for known in ("es", "en"))

    def answer(self, turn: Turn, *, only_known: bool) -> Answer | None:
        said = words(turn.text[:_READ_CHARACTERS])
        say = self._prompts.say(language(turn))
        if (offered := self._offered(turn, said)) is not None:
            return _purchase(offered, say)
        known = _known(turn, said, say, only_known=only_known)
        if known is None and not only_known:
            return _answer("other", "neutral", say.generic, confidence=0.5)
        return known

    def _offered(self, turn: Turn, said: str) -> ProductCard | None:
        """The one product whose purchase we offered last, when the customer now just says yes."""
        if not turn.history or not _YES.match(said):
            return None
        last = turn.history[-1]
        if last.sender is not Sender.AGENT or not last.text.rstrip().endswith(self._offers):
            return None
        return _named(turn.company.products, words(last.text))


def _question(phrase: str) -> str:
    return phrase.rsplit("\n", 1)[-1]


def _known(turn: Turn, said: str, say: Phrases, *, only_known: bool) -> Answer | None:
    text = turn.text[:_READ_CHARACTERS]
    if declines(text):
        return _informed(turn, asked_beside(text), say)
    products = turn.company.products
    named, few = _named(products, said), len(said.split()) <= 6
    if products and buys(text, _name_words(named) if named else frozenset()):
        wanted = named or _recent(turn)
        return _purchase(wanted, say) if wanted else _which(products, say)
    if named and named.picture and _PICTURE.search(said):
        return _shown(named, say)
    if named and (few or not only_known):
        return _price(named, say)
    if informed := _informed(turn, said, say):
        return informed
    if few and _FAREWELL.search(said):
        return _answer("farewell", "positive", say.farewell)
    if few and _GREETING.search(said):
        return _answer("greeting", "positive", _greeting(turn, say))
    return None


def _informed(turn: Turn, said: str, say: Phrases) -> Answer | None:
    """The price or the products that are asked for in *said*; nothing is sold."""
    products, priced = turn.company.products, bool(_PRICE.search(said))
    named = _named(products, said)
    if named and priced:
        return _price(named, say)
    if priced or _PRODUCTS.search(said):
        return _catalogue(products, say, intent="price_inquiry" if priced else "product_inquiry")
    return None


def _answer(
    intent: Intent,
    sentiment: Sentiment,
    text: str,
    *,
    confidence: float = 0.9,
    stage: Stage = Stage.LEAD,
    actions: list[Action] | None = None,
) -> Answer:
    return Answer(
        intent=intent,
        sentiment=sentiment,
        confidence=confidence,
        stage=stage,
        actions=actions or [],
        text=text,
    )


def _purchase(product: ProductCard, say: Phrases) -> Answer:
    text = say.purchase if product.payment_link else say.purchase_by_hand
    action = Action(kind="send_payment_link", product_ref=product.ref)
    return _answer("purchase", "positive", text, stage=Stage.QUALIFIED, actions=[action])


def _which(products: tuple[ProductCard, ...], say: Phrases) -> Answer:
    text = fill(say.which_product, lines=_lines(products, say, described=False))
    return _answer("purchase", "positive", text, stage=Stage.QUALIFIED)


def _price(product: ProductCard, say: Phrases) -> Answer:
    slots = {"product": one_line(product.name, 100), "price": price_text(product)}
    description = _description(product)
    if not description:
        return _answer("price_inquiry", "neutral", fill(say.price, **slots))
    text = fill(say.price_described, **slots, description=_ended(description))
    return _answer("price_inquiry", "neutral", text)


def _shown(product: ProductCard, say: Phrases) -> Answer:
    picture = Action(kind="send_picture", product_ref=product.ref)
    return _price(product, say).model_copy(update={"actions": [picture]})


def _catalogue(products: tuple[ProductCard, ...], say: Phrases, *, intent: Intent) -> Answer:
    if not products:
        return _answer(intent, "neutral", say.empty_catalogue)
    return _answer(intent, "neutral", fill(say.catalogue, lines=_lines(products, say)))


def _lines(products: tuple[ProductCard, ...], say: Phrases, *, described: bool = True) -> str:
    def line(product: ProductCard) -> str:
        slots = {"product": one_line(product.name, 100), "price": price_text(product)}
        description = _description(product) if described else ""
        if not description:
            return fill(say.catalogue_line, **slots)
        return fill(say.catalogue_line_described, **slots, description=description)

    return "\n".join(line(product) for product in products[:MOST_PRODUCTS])


def _description(product: ProductCard) -> str:
    return one_line(product.description, 120).rstrip(".")


def _ended(sentence: str) -> str:
    return f"{sentence}." if sentence[-1].isalnum() else sentence


def _greeting(turn: Turn, say: Phrases) -> str:
    name = one_line(turn.customer.name or "", 40).split()
    first = f" {name[0]}" if name and name[0].isalpha() else ""
    return fill(say.greeting, name=first, company=one_line(turn.company.name, 100))


def _recent(turn: Turn) -> ProductCard | None:
    """The product the conversation was last about; the only one there is, if there is one."""
    products = turn.company.products
    if len(products) == 1:
        return products[0]
    lines = (words(line.text[:_READ_CHARACTERS]) for line in reversed(turn.history[-6:]))
    return next((named for line in lines if (named := _named(products, line))), None)


def _named(products: tuple[ProductCard, ...], said: str) -> ProductCard | None:
    """The one product that *said* names: by reference, or by a word no other name has."""
    heard = set(said.split())
    names = [_name_words(product) for product in products]
    matches = [
        product
        for number, product in enumerate(products)
        if heard
        & (names[number].difference(*names[:number], *names[number + 1 :]) | {words(product.ref)})
    ]
    return matches[0] if len(matches) == 1 else None


def _name_words(product: ProductCard) -> frozenset[str]:
    long = (word for word in words(product.name).split() if len(word) >= 4)
    return frozenset(long) - _FUNCTION
