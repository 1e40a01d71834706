"""How many messages of one customer are answered: ``rate_limit:{companyId}:{customerPhone}``.

While Redis is away each process counts for itself.
"""

import logging
import time
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from uuid import UUID

from bot.local_windows import LocalWindows, Verdict
from bot.redis_store import RedisStore, Script
from models.errors import RetryLater

log = logging.getLogger(__name__)

WINDOW_SECONDS = 60


class Counted(Enum):
    """What the count says of one message."""

    WITHIN = 0
    FIRST_OVER = 1
    """Over the limit, and the one message of this window that the customer is told about."""
    OVER = 2
    NOT_COUNTED = 3
    """Not looked at: the limit is off, or the message is old. Answer it."""

    @property
    def over(self) -> bool:
        return self in (Counted.FIRST_OVER, Counted.OVER)


@dataclass(frozen=True, slots=True)
class Count:
    """One message counted; until ``full_until`` (`time.monotonic`) the window takes no more.

    *here*: by this process alone, because Redis was away.
    """

    counted: Counted = Counted.NOT_COUNTED
    full_until: float | None = None
    here: bool = False


class RateLimit:
    """A fixed window of 60 seconds for each customer of a company; *limit* 0 switches it off.

    The window begins with its first message and its end never moves. ``counted_here`` says how
    many messages this process counted for itself.
    """

    def __init__(self, redis: RedisStore, *, limit: int) -> None:
        self._redis = redis
        self._limit = limit
        self._here = LocalWindows(limit=limit, seconds=WINDOW_SECONDS)
        self.counted_here = 0

    def counts(self, *, sent_at: datetime, now: datetime) -> bool:
        """Whether a message is counted at all; *sent_at* is WhatsApp's own time."""
        return bool(self._limit) and (now - sent_at).total_seconds() <= WINDOW_SECONDS

    async def count(self, company_id: UUID, customer_phone: str) -> Count:
        """Count one message that `counts`."""
        asked = time.monotonic()
        keys = _keys(company_id, customer_phone)
        try:
            code, left = await self._redis.run(_COUNT, keys, self._limit, WINDOW_SECONDS)
        except RetryLater as error:
            self.counted_here += 1
            log.debug("a message is counted in this process", extra={"why": str(error)})
            return _here(self._here.count(keys[0]))
        return Count(Counted(code), asked + left / 1000 if left else None)

    async def uncount(self, company_id: UUID, customer_phone: str, count: Count) -> None:
        """Take back a message that turned out to be a repetition; *count* is what it got."""
        if count.counted is Counted.NOT_COUNTED:
            return
        keys = _keys(company_id, customer_phone)
        told = count.counted is Counted.FIRST_OVER
        if count.here:
            self._here.uncount(keys[0], told=told)
            return
        try:
            await self._redis.run(_UNCOUNT, keys, int(told))
        except RetryLater as error:
            log.debug("a message stays counted", extra={"why": str(error)})

    async def follow(
        self, company_id: UUID, former: str, customer_phone: str, count: Count
    ) -> Count:
        """What was counted under a *former* phone counts for the customer; *count* anew.

        The customer's own window keeps its end; without one the former window goes on.
        """
        if not self._limit:
            return count
        keys = (*_keys(company_id, former), *_keys(company_id, customer_phone))
        told = int(count.counted is Counted.FIRST_OVER)
        if count.here:
            return _here(self._here.follow(keys[0], keys[2], told=bool(told)))
        asked = time.monotonic()
        try:
            code, left = await self._redis.run(_FOLLOW, keys, self._limit, told)
        except RetryLater as error:
            log.debug("a count stays with a former phone", extra={"why": str(error)})
            return count
        if count.counted is Counted.NOT_COUNTED:
            return count
        return Count(Counted(code), asked + left / 1000 if left else None)


def _here(verdict: Verdict) -> Count:
    code, full_until = verdict
    return Count(Counted(code), full_until, here=True)


def _keys(company_id: UUID, customer_phone: str) -> tuple[str, str]:
    customer = f"{company_id}:{customer_phone}"
    return f"rate_limit:{customer}", f"rate_limit_notice:{customer}"


# A key without an expiry is a new one, or one whose expiry got lost: both get 60 s. A window that
# would last longer was begun before Redis' clock was set back: a new one begins.
# A value that is no count is not ours and is replaced. The notice ends with its window. Answers the
# verdict and, where the window is full, for how many milliseconds it stays so.
_COUNT = Script("""
local count = redis.pcall('INCR', KEYS[1])
if type(count) ~= 'number' then
  redis.call('DEL', KEYS[1])
  count = redis.call('INCR', KEYS[1])
end
local ends = redis.call('PTTL', KEYS[1])
if ends > ARGV[2] * 1000 then
  redis.call('DEL', KEYS[1], KEYS[2])
  count = redis.call('INCR', KEYS[1])
end
if ends < 0 or ends > ARGV[2] * 1000 then
  redis.call('EXPIRE', KEYS[1], ARGV[2])
end
local limit = tonumber(ARGV[1])
if count < limit then return {0, 0} end
local left = math.max(redis.call('PTTL', KEYS[1]), 1)
if count == limit then return {0, left} end
if redis.call('SET', KEYS[2], '1', 'NX', 'PX', left) then return {1, left} end
return {2, left}
""")

_UNCOUNT = Script("""
if ARGV[1] == '1' then redis.call('DEL', KEYS[2]) end
local count = tonumber(redis.call('GET', KEYS[1]) or 0)
if count and count > 0 then redis.call('DECR', KEYS[1]) end
return 0
""")

# KEYS count and notice of the former phone, then those of the customer. ARGV[1] the limit, ARGV[2]
# whether the customer is about to be told because of this message. Answers as _COUNT does.
_FOLLOW = Script("""
local moved = tonumber(redis.pcall('GET', KEYS[1]) or 0)
local left = redis.call('PTTL', KEYS[3])
if left < 0 then left = math.max(redis.call('PTTL', KEYS[1]), 1) end
local told = redis.call('DEL', KEYS[2]) == 1 or redis.call('EXISTS', KEYS[4]) == 1
redis.call('DEL', KEYS[1])
local count = tonumber(redis.pcall('GET', KEYS[3]) or 0)
if moved and moved > 0 and count then
  count = redis.call('INCRBY', KEYS[3], moved)
  redis.call('PEXPIRE', KEYS[3], left)
end
if told then redis.call('SET', KEYS[4], '1', 'PX', left) end
local limit = tonumber(ARGV[1])
if not count or count < limit then return {0, 0} end
if count == limit then return {0, left} end
if ARGV[2] == '1' then return {1, left} end
if told then return {2, left} end
redis.call('SET', KEYS[4], '1', 'PX', left)
return {1, left}
""")
