"""The pairing page's words, in the browser's language: Spanish unless English is wanted more."""

import tomllib
from pathlib import Path
from string import Template
from typing import Any

_FOLDER = Path(__file__).with_name("page")
LANGUAGES = ("es", "en")


class Words:
    """One language's texts; what they are filled with is escaped where it is shown."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts: dict[str, dict[str, Any]] = tomllib.loads(
            (_FOLDER / f"{language}.toml").read_text(encoding="utf-8")
        )

    def has(self, section: str, key: str = "title") -> bool:
        """Whether there is such a text."""
        return key in self._texts.get(section, {})

    def say(self, section: str, key: str, **values: object) -> str:
        """A text, or "" where that section has none."""
        return Template(self._texts[section].get(key, "")).substitute(values)

    def steps(self, section: str, **values: object) -> list[str]:
        """What to do, one after the other."""
        return [Template(step).substitute(values) for step in self._texts[section].get("steps", [])]


_WORDS = {language: Words(language) for language in LANGUAGES}


def words_for(accept_language: str) -> Words:
    """The words for a browser that sends this ``Accept-Language``."""
    wishes: dict[str, float] = {}
    for item in accept_language.split(","):
        tag, _, quality = item.partition(";")
        language = tag.strip().lower().partition("-")[0]
        if language in LANGUAGES:
            wishes[language] = max(wishes.get(language, 0.0), _quality(quality))
    wanted = max(LANGUAGES, key=lambda language: wishes.get(language, 0.0))
    return _WORDS[wanted]


def _quality(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
