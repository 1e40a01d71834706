"""How asking a language model can end, and what that means for the next try."""

from enum import StrEnum

from models.errors import LyroxError


class Outcome(StrEnum):
    """The end of one request; the words are the metric's labels."""

    ANSWERED = "answered"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    BAD_JSON = "bad_json"
    INVALID = "invalid"
    TRUNCATED = "truncated"
    QUOTA = "quota"
    AUTH = "auth"
    NOT_FOUND = "not_found"
    REFUSED = "refused"
    REJECTED = "rejected"
    DECLINED = "declined"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


RETRYABLE = {
    Outcome.TIMEOUT,
    Outcome.CONNECTION,
    Outcome.RATE_LIMITED,
    Outcome.SERVER_ERROR,
    Outcome.BAD_JSON,
}
REPAIRABLE = {Outcome.INVALID, Outcome.TRUNCATED}
FINAL = {Outcome.REFUSED, Outcome.REJECTED}
"""The request itself is the trouble: the target is well, and later will not be better."""

OPERATOR = {
    Outcome.QUOTA: "its account is out of credit: top it up",
    Outcome.AUTH: "it does not accept our key: check the credential",
    Outcome.NOT_FOUND: "it does not know the model or the URL: correct the target in config.toml",
    Outcome.REJECTED: "it rejects our request: check the target's params in config.toml",
}
"""What somebody must do about it, for the log."""


class Fault(LyroxError):
    """One request that gave no valid answer.

    ``content`` is what a repairable answer said and ``tokens`` what it cost; ``counts`` is
    False where the target cannot be blamed. Nothing of the provider's words is in the message.
    """

    def __init__(
        self,
        outcome: Outcome,
        *,
        retry_after: float | None = None,
        retryable: bool | None = None,
        content: str = "",
        tokens: int = 0,
        prompt_tokens: int | None = None,
        request_id: str | None = None,
        counts: bool = True,
    ) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome
        self.retry_after = retry_after
        self.retryable = outcome in RETRYABLE if retryable is None else retryable
        self.content = content
        self.tokens = tokens
        self.prompt_tokens = prompt_tokens
        self.request_id = request_id
        self.counts = counts and outcome not in FINAL


_QUOTA_CODES = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
_REFUSAL_CODES = {"content_filter", "content_policy_violation"}


def status_outcome(status: int, codes: set[str]) -> Outcome:
    """What an HTTP status means, together with the provider's error code and type."""
    if codes & _QUOTA_CODES or status == 402:
        return Outcome.QUOTA
    if codes & _REFUSAL_CODES:
        return Outcome.REFUSED
    if status in {408, 409} or status >= 500:
        return Outcome.SERVER_ERROR
    named = {
        401: Outcome.AUTH,
        403: Outcome.AUTH,
        404: Outcome.NOT_FOUND,
        429: Outcome.RATE_LIMITED,
    }
    return named.get(status, Outcome.REJECTED)
