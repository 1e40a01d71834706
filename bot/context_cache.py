"""The newest lines of a conversation: ``conversation_context:{companyId}:{customerId}``.

A hint that saves a read of Mongo. The key is absent, or holds the newest 20 lines without a
hole, or is being filled: then its first element is a token, and what is said meanwhile waits
behind it for the one who fills.
"""

import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from bot.cached_lines import decode, encode
from bot.redis_store import RedisStore, Script
from models.errors import RetryLater
from models.values import Line

log = logging.getLogger(__name__)

LINES = 20
KEPT_SECONDS = 3600
FILLING_SECONDS = 30
"""As long as a turn may take, because its reply carries the history into the cache."""
MOST_HELD = 1000


@dataclass(frozen=True, slots=True)
class Miss:
    """Read the history elsewhere; with a token, `ContextCache.fill` it in afterwards."""

    token: str | None = None


class ContextCache:
    """The last lines of each conversation; none of its calls fails, Redis away is a miss.

    A key that missed a push of ours is deleted before we use it again, because a hole is
    worse than a miss.
    """

    def __init__(self, redis: RedisStore) -> None:
        self._redis = redis
        self._doubtful: dict[str, object] = {}
        self._held: dict[str, tuple[str, Sequence[Line]]] = {}
        self.hits = 0
        self.misses = 0

    async def load(self, company_id: UUID, customer_id: UUID) -> tuple[Line, ...] | Miss:
        """The lines, oldest first; among those who miss at once, the first gets the token."""
        key = _key(company_id, customer_id)
        try:
            await self.heal()
            loaded = await self._load(key)
        except RetryLater:
            loaded = Miss()
        except ValueError:
            log.warning("a cached conversation is not readable and is dropped")
            self._doubt(key)
            loaded = Miss()
        self.hits += not isinstance(loaded, Miss)
        self.misses += isinstance(loaded, Miss)
        return loaded

    async def push(self, company_id: UUID, customer_id: UUID, lines: Sequence[Line]) -> bool:
        """Add what was said, if the conversation is cached or being filled: False if neither.

        A repeated line is one line. After a False that came before the lines were in Mongo,
        push again when they are: whoever fills has then read them there, or finds them behind
        the token. Otherwise they could be a hole.
        """
        if not lines:
            return True
        key = _key(company_id, customer_id)
        token, history = self._held.pop(key, ("", ()))
        return bool(await self._merge(key, token, history, lines))

    async def fill(
        self, company_id: UUID, customer_id: UUID, token: str, lines: Sequence[Line]
    ) -> bool:
        """Put the history in the token's place; False if the token is no longer there."""
        key = _key(company_id, customer_id)
        return await self._merge(key, token, lines, ()) == _FILLED

    def hold(self, company_id: UUID, customer_id: UUID, token: str, lines: Sequence[Line]) -> None:
        """`fill` this together with our next push, to save a round trip, or in `fill_held`."""
        while len(self._held) >= MOST_HELD:
            del self._held[next(iter(self._held))]
        self._held[_key(company_id, customer_id)] = (token, lines)

    async def fill_held(self, company_id: UUID, customer_id: UUID) -> None:
        """`fill` what is held: there will be no push of ours."""
        if held := self._held.pop(_key(company_id, customer_id), None):
            await self.fill(company_id, customer_id, *held)

    async def forget(self, company_id: UUID, customer_id: UUID) -> None:
        """Drop a conversation that may have a hole, for example after a crash."""
        self._doubt(_key(company_id, customer_id))
        try:
            await self.heal()
        except RetryLater as error:
            log.debug("a conversation is dropped later", extra={"why": str(error)})

    async def heal(self) -> None:
        """Delete the keys that missed a push; raises RetryLater while Redis is away."""
        doubts = list(self._doubtful.items())
        if doubts:
            await self._redis.delete(*self._doubtful)
        for key, doubt in doubts:
            if self._doubtful.get(key) is doubt:  # A newer doubt came while we waited.
                del self._doubtful[key]

    async def _load(self, key: str) -> tuple[Line, ...] | Miss:
        token = secrets.token_hex(8)
        found = await self._redis.run_together(_LOAD, [key], token, FILLING_SECONDS)
        if isinstance(found, bytes):
            return tuple(map(decode, found.split(b"\n")))
        return Miss(token if found else None)

    async def _merge(
        self, key: str, token: str, history: Sequence[Line], said: Sequence[Line]
    ) -> int:
        first = f"{_FILLING}{token}" if token else ""
        encoded = [encode(line) for line in (*history, *said)]
        limits = (LINES, KEPT_SECONDS, len(history))
        done = False
        try:
            await self.heal()
            merged = await self._redis.run_together(_MERGE, [key], first, *limits, *encoded)
            done = True
            return int(merged)
        except RetryLater:
            return _ABSENT
        finally:
            if not done:  # Also when cancelled half way.
                self._doubt(key)

    def _doubt(self, key: str) -> None:
        self._doubtful[key] = object()


_FILLING = "filling:"
_ABSENT, _FILLED = 0, 2


def _key(company_id: UUID, customer_id: UUID) -> str:
    return f"conversation_context:{company_id}:{customer_id}"


# KEYS[1] the conversation; ARGV[1] a new token, ARGV[2] how long it holds.
# Answers the lines as one text (20 replies cost us more than a split), 1 if the token was
# placed, 0 while somebody else fills.
_LOAD = Script("""
local lines = redis.pcall('LRANGE', KEYS[1], 0, -1)
if lines.err then
  redis.call('DEL', KEYS[1])
  lines = {}
end
if #lines == 0 then
  redis.call('RPUSH', KEYS[1], 'filling:' .. ARGV[1])
  redis.call('EXPIRE', KEYS[1], ARGV[2])
  return 1
end
if string.sub(lines[1], 1, 8) == 'filling:' then return 0 end
return table.concat(lines, '\\n')
""")

# KEYS[1] the conversation; ARGV[1] the first element while we fill, ARGV[2] how many lines
# stay, ARGV[3] for how long, ARGV[4] how many lines of history, which only fill; then those,
# and behind them what was said. Answers 0 if nothing is cached, 2 if our token was there.
# Time and id are found by their fixed places in the JSON, because Lua's JSON refuses lone
# surrogates. Equal times keep the order of arrival.
_MERGE = Script("""
local function id_of(line)
  local stop = string.find(line, '","direction":"', 47, true)
  return string.sub(line, 47, (stop or 0) - 1)
end
local function newest(lines, limit)
  local seen, kept = {}, {}
  for _, line in ipairs(lines) do
    local id = id_of(line)
    if not seen[id] then
      seen[id] = true
      table.insert(kept, {string.sub(line, 15, 38), #kept, line})
    end
  end
  table.sort(kept, function(a, b)
    if a[1] == b[1] then return a[2] < b[2] end
    return a[1] < b[1]
  end)
  local out = {}
  for i = math.max(1, #kept - limit + 1), #kept do table.insert(out, kept[i][3]) end
  return out
end

local held = redis.pcall('LRANGE', KEYS[1], 0, -1)
if held.err or #held == 0 then return 0 end
local ours = held[1] == ARGV[1]
local said = 5 + tonumber(ARGV[4])
if not ours and said > #ARGV then return 0 end
local left, first, lines = tonumber(ARGV[3]) * 1000, nil, {}
if string.sub(held[1], 1, 8) == 'filling:' then
  first = table.remove(held, 1)
  left = ours and left or redis.call('PTTL', KEYS[1])
end
if ours then
  for i = 5, said - 1 do table.insert(lines, ARGV[i]) end
end
for _, line in ipairs(held) do table.insert(lines, line) end
for i = said, #ARGV do table.insert(lines, ARGV[i]) end
lines = newest(lines, tonumber(ARGV[2]))
if first and not ours then table.insert(lines, 1, first) end
redis.call('DEL', KEYS[1])
if #lines > 0 then
  redis.call('RPUSH', KEYS[1], unpack(lines))
  redis.call('PEXPIRE', KEYS[1], math.max(left, 1))
end
return ours and 2 or 1
""")
