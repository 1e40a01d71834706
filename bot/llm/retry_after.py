"""How long a server asks us to wait: milliseconds, seconds, or until a date."""

import math
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime


def retry_after(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """The seconds to wait, or None where the headers say nothing sensible."""
    if (wait := _positive(headers.get("retry-after-ms"))) is not None:
        return wait / 1000
    asked = headers.get("retry-after")
    if (wait := _positive(asked)) is not None:
        return wait
    try:
        until = parsedate_to_datetime(asked or "")
    except (ValueError, OverflowError):
        return None
    if until.tzinfo is None:
        return None
    return max((until - now).total_seconds(), 0) or None


def _positive(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number > 0 else None
