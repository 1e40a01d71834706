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

    def fact(self, language: str = "es", *, detail: str = "") -> str:
        """What is so, for somebody whom our commands do not help."""
        template = self.meaning.es if language == "es" else self.meaning.en
        to = "hasta" if language == "es" else "until"
        until = f" ({to} {self.until:%Y-%m-%d %H:%M} UTC)" if self.until else ""
        return template.format(until=until, detail=f" ({detail})" if detail else "")

    def sentence(self, language: str = "es") -> str:
        """What is so, and what to do next, in one line."""
        following = self.meaning.next_es if language == "es" else self.meaning.next_en
        return f"{self.fact(language, detail=self.detail)} {following}"
