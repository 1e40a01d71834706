"""The state a company's WhatsApp is in, with the sentence that says what to do next."""

from dataclasses import dataclass
from datetime import datetime

from bot.whatsapp.reasons import MEANINGS, Meaning, Phase, Reason, WayOut

__all__ = ["MEANINGS", "Phase", "Reason", "State", "WayOut"]


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
