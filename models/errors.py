"""Errors, named by what the catcher must do next."""


class LyroxError(Exception):
    """Base of everything we raise on purpose; its text is safe to show to an operator."""


class RetryLater(LyroxError):
    """The same call may work soon: keep the work pending, optionally for *delay* seconds."""

    def __init__(self, message: str, *, delay: float | None = None) -> None:
        super().__init__(message)
        self.delay = delay


class GiveUp(LyroxError):
    """The same call can never work: record the reason and go on with the next."""


class OwnerMustAct(LyroxError):
    """Only the company's owner can fix this, for example by pairing the phone again."""


class StartupRefused(LyroxError):
    """Configuration or database is not fit to start with: one sentence, exit 78, no restart."""


class Unavailable(LyroxError):
    """A store cannot be reached or the state directory is in use: one sentence, exit 75."""


class StartAgain(LyroxError):
    """The process ended in peace and wants a fresh one in its place: one sentence, exit 5."""


class BadInput(LyroxError):
    """What the person asked for is wrong: what, where and what to do, exit 2."""


class CompanyScopeMissing(LyroxError):
    """Business data was touched without a company scope: a bug of ours."""
