"""What a person sees of a company's pairing at one moment."""

from dataclasses import dataclass
from enum import StrEnum

from bot.whatsapp.pairing import PairEvent
from bot.whatsapp.states import Phase, State, WayOut


class Step(StrEnum):
    """Where a person stands; each has one next thing to do."""

    START = "start"
    PREPARING = "preparing"
    SCAN = "scan"
    LETTERS = "letters"
    CONFIRM = "confirm"
    LINKED = "linked"
    CONNECTED = "connected"
    WAITING = "waiting"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Facts:
    """A company as its database row and its session have it; *phone* is the last one paired."""

    name: str
    state: State
    phone: str = ""
    served: bool = True
    """Whether its WhatsApp runs here at all."""

    @property
    def connected(self) -> bool:
        """Whether WhatsApp takes messages."""
        return self.served and self.state.phase is Phase.CONNECTED

    def view(self) -> "View":
        """What to show while nobody pairs."""
        if not self.served:
            return View(Step.STOPPED)
        if self.connected:
            return View(Step.CONNECTED, phone=self.phone)
        if self.state.meaning.way_out is WayOut.OWNER_PAIRS:
            return View(Step.START, state=self.state)
        return View(Step.WAITING, phone=self.phone, state=self.state)


@dataclass(frozen=True, slots=True)
class View:
    """One step with what belongs to it; *until* is when its code expires, on the loop's clock.

    *letters* are the digits of the phone for which eight letters were asked, and stay with it when
    that fails. *reason* is why it failed, *state* why nobody is connected.
    """

    step: Step
    code: str = ""
    until: float = 0.0
    phone: str = ""
    former: str = ""
    letters: str = ""
    reason: str = ""
    state: State | None = None

    @classmethod
    def of(cls, event: PairEvent, now: float) -> "View":
        """What a step of the pairing shows."""
        until = now + event.expires_in
        match event.event:
            case "qr":
                return cls(Step.SCAN, code=event.code, until=until)
            case "letters":
                return cls(Step.LETTERS, code=event.code, until=until, letters=event.phone)
            case "letters_refused":
                return cls(Step.FAILED, letters=event.phone, reason=event.reason)
            case "failed":
                return cls(Step.FAILED, reason=event.reason)
            case _:
                return cls(Step.LINKED, phone=event.phone)
