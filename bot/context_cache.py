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
FILLING_SECONDS = 10


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

    async def push(self, company_id: UUID, customer_id: UUID, lines: Sequence[Line]) -> None:
        """Add what was said, if the conversation is cached; a repeated line is one line.

        Call it after the lines are in Mongo: whoever fills has then read them there, or finds
        them behind the token. The other way round leaves holes.
        """
        if lines:
            await self._merge(_PUSH, _key(company_id, customer_id), "", lines)

    async def fill(
        self, company_id: UUID, customer_id: UUID, token: str, lines: Sequence[Line]
    ) -> bool:
        """Put the history in the token's place; False if the token is no longer there."""
        key = _key(company_id, customer_id)
        return await self._merge(_FILL, key, f"{_FILLING}{token}", lines)

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
        found = await self._redis.run(_LOAD, [key], token, FILLING_SECONDS)
        if isinstance(found, bytes):
            return decode(found)
        return Miss(token if found else None)

    async def _merge(self, script: Script, key: str, first: str, lines: Sequence[Line]) -> bool:
        encoded = [encode(line) for line in lines]
        done = False
        try:
            await self.heal()
            merged = await self._redis.run(script, [key], first, LINES, KEPT_SECONDS, *encoded)
            done = True
            return bool(merged)
        except RetryLater:
            return False
        finally:
            if not done:  # Also when cancelled half way.
                self._doubt(key)

    def _doubt(self, key: str) -> None:
        self._doubtful[key] = object()


_FILLING = "filling:"


def _key(company_id: UUID, customer_id: UUID) -> str:
    return f"conversation_context:{company_id}:{customer_id}"


# KEYS[1] the conversation; ARGV[1] a new token, ARGV[2] how long it holds.
# Answers the lines as one JSON array (20 replies cost us more than 20 commas), 1 if the token
# was placed, 0 while somebody else fills.
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
return '[' .. table.concat(lines, ',') .. ']'
""")

# KEYS[1] the conversation; ARGV[1] the expected first element, ARGV[2] how many lines stay,
# ARGV[3] for how long, then the lines. Time and id are found by their fixed places in the
# JSON, because Lua's JSON refuses lone surrogates. Equal times keep the order of arrival.
_NEWEST = """
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
"""

_PUSH = Script(
    _NEWEST
    + """
local held = redis.pcall('LRANGE', KEYS[1], 0, -1)
if held.err or #held == 0 then return 0 end
local left, first = tonumber(ARGV[3]) * 1000, nil
if string.sub(held[1], 1, 8) == 'filling:' then
  first = table.remove(held, 1)
  left = redis.call('PTTL', KEYS[1])
end
for i = 4, #ARGV do table.insert(held, ARGV[i]) end
local lines = newest(held, tonumber(ARGV[2]))
if first then table.insert(lines, 1, first) end
redis.call('DEL', KEYS[1])
redis.call('RPUSH', KEYS[1], unpack(lines))
redis.call('PEXPIRE', KEYS[1], math.max(left, 1))
return 1
"""
)

_FILL = Script(
    _NEWEST
    + """
local held = redis.pcall('LRANGE', KEYS[1], 0, -1)
if held.err or held[1] ~= ARGV[1] then return 0 end
local lines = {}
for i = 4, #ARGV do table.insert(lines, ARGV[i]) end
for i = 2, #held do table.insert(lines, held[i]) end
lines = newest(lines, tonumber(ARGV[2]))
redis.call('DEL', KEYS[1])
if #lines == 0 then return 1 end
redis.call('RPUSH', KEYS[1], unpack(lines))
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""
)
