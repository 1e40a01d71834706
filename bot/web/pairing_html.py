"""Each step of a pairing as HTML: readable without JavaScript, kept alive by it."""

from types import MappingProxyType

from bot.pairing.view import Step, View
from bot.web.document import Shown, read
from bot.web.markup import NOTHING, Html, joined, markup
from bot.web.pairing_words import Words
from bot.whatsapp.qr import qr_svg
from bot.whatsapp.states import Reason

_NUMBER, _SCAN, _LETTERS = read("number.html"), read("scan.html"), read("letters.html")
_TURNING, _DONE, _TROUBLE = read("turning.svg"), read("done.svg"), read("trouble.svg")
_SIGNS = MappingProxyType(
    {
        Step.PREPARING: _TURNING,
        Step.LINKED: _TURNING,
        Step.WAITING: _TURNING,
        Step.CONNECTED: _DONE,
        Step.FAILED: _TROUBLE,
        Step.STOPPED: _TROUBLE,
    }
)
_LETTERS_AGAIN = ("expired", "refused", "too_often", "unreachable", "fault")
"""After these, whoever wanted letters wants them again."""


class PairingHtml:
    """Draws one company's steps in one language; *token* is the last part of the page's address."""

    def __init__(self, words: Words, name: str, token: str, device: str) -> None:
        self._words = words
        self._name = name
        self._token = token
        self._device = device

    def step(self, view: View, now: float) -> Shown:
        """What *view* looks like at *now*."""
        section = self._section(view)
        said = self._words.say(section, "title", **self._values(view))
        sign = _SIGNS.get(view.step, NOTHING)
        head = markup("$sign<h1>$title</h1>", sign=sign, title=said)
        html = joined([head, self._body(section, view, now)])
        return Shown(f"{view.step}-{section}", said, html, over=view.step is Step.CONNECTED)

    def number(self, wrong: str | None = None) -> Shown:
        """The form for the number of a phone that types letters; *wrong* is what will not do."""
        described = 'aria-describedby="hint"'
        if wrong is not None:
            described = 'aria-describedby="wrong hint" aria-invalid="true"'
        texts = {
            key: self._words.say("number", key)
            for key in ("title", "lead", "label", "hint", "button", "back")
        }
        error = self._p("number", "wrong", 'class="wrong" id="wrong"')
        html = markup(
            _NUMBER,
            **texts,
            value=wrong or "",
            state=Html(described),
            wrong=NOTHING if wrong is None else error,
            token=self._token,
        )
        return Shown("number", texts["title"], html)

    def _section(self, view: View) -> str:
        if view.step is Step.FAILED:
            return view.reason if self._words.has(view.reason, "button") else "fault"
        fresh = view.state is None or view.state.reason in (Reason.NEVER_PAIRED, Reason.PAIRING)
        return "start_again" if view.step is Step.START and not fresh else view.step.value

    def _values(self, view: View) -> dict[str, str]:
        return {
            "name": self._name,
            "phone": view.phone or f"+{view.letters}",
            "former": view.former,
            "device": self._device,
            "state": view.state.fact(self._words.language) if view.state else "",
        }

    def _body(self, section: str, view: View, now: float) -> Html:
        if view.step is Step.SCAN:
            return self._scan(section, view, now)
        if view.step is Step.LETTERS:
            return self._letters(section, view, now)
        values = self._values(view)
        return joined(
            [
                self._p(section, "lead", **values),
                self._steps(section, **values),
                self._way_on(section, view),
                self._p(section, "hint", 'class="soft"', **values),
            ]
        )

    def _way_on(self, section: str, view: View) -> Html:
        """The one thing to do next; a question has two answers."""
        label = self._words.say(section, "button", **self._values(view))
        if view.step is Step.CONFIRM:
            no = _button(self._words.say(section, "refuse"), kind="second", do="refuse")
            return joined([_button(label, do="keep"), no])
        if section == "no_such_number":
            return _link(f"{self._token}/letters", label, "button")
        if label:
            letters = view.letters if section in _LETTERS_AGAIN else ""
            return _button(label, do="begin", letters=letters)
        again = view.step in {Step.WAITING, Step.STOPPED}
        return _link(self._token, self._words.say("page", "again")) if again else NOTHING

    def _scan(self, section: str, view: View, now: float) -> Html:
        button = self._words.say(section, "button")
        other = markup(
            '<div class="other">$hint$link</div>',
            hint=self._p(section, "hint", 'class="soft"'),
            link=_link(f"{self._token}/letters", button),
        )
        return markup(
            _SCAN,
            **self._countdown(view, now),
            label=self._words.say("page", "qr"),
            qr=Html(qr_svg(view.code)),
            aside=joined([self._steps(section), other]),
        )

    def _letters(self, section: str, view: View, now: float) -> Html:
        button = _button(self._words.say(section, "button"), kind="second", do="begin")
        return markup(
            _LETTERS,
            **self._countdown(view, now),
            label=self._words.say(section, "label"),
            spelled=" ".join(view.code.replace("-", "")),
            code=view.code,
            aside=joined([self._steps(section, **self._values(view)), button]),
        )

    def _countdown(self, view: View, now: float) -> dict[str, object]:
        texts = {key: self._words.say("page", key) for key in ("countdown", "ends")}
        left = max(0, round(view.until - now))
        return {**texts, "left": left, "unit": self._words.say("page", "seconds")}

    def _steps(self, section: str, **values: object) -> Html:
        steps = self._words.steps(section, **values)
        items = joined(markup("<li>$step</li>", step=step) for step in steps)
        return markup("<ol>$items</ol>", items=items) if steps else NOTHING

    def _p(self, section: str, key: str, attributes: str = "", **values: object) -> Html:
        text = self._words.say(section, key, **values)
        space = Html(f" {attributes}" if attributes else "")
        return markup("<p$space>$text</p>", space=space, text=text) if text else NOTHING


def _link(href: str, label: str, kind: str = "button second") -> Html:
    return markup(
        '<p><a class="$kind" href="$href">$label</a></p>', kind=kind, href=href, label=label
    )


def _button(label: str, *, kind: str = "first", **fields: str) -> Html:
    hidden = joined(
        markup('<input type="hidden" name="$name" value="$value">', name=name, value=value)
        for name, value in fields.items()
        if value
    )
    return markup(
        '<form method="post">$hidden<button class="$kind">$label</button></form>',
        hidden=hidden,
        kind=kind,
        label=label,
    )
