"""Just enough of three wire protocols to see where a request begins and what it is called."""

from collections.abc import Iterator

_OP_MSG = 2013


class Postgres:
    """A request ends with Sync or Flush or is a simple Query.

    Its answer ends with ReadyForQuery; a flushed one, which prepares, with the rows' description.
    """

    def __init__(self) -> None:
        self._asked, self._told = bytearray(), bytearray()
        self._started = False
        self._statements: dict[bytes, str] = {}
        self._label = "?"
        self._preparing = 0

    def asked(self, data: bytes) -> Iterator[str]:
        """A label for each request that *data* completes."""
        self._asked += data
        if not self._started and not self._skip_startup():
            return
        for kind, body in _messages(self._asked):
            if kind == b"P":
                name, _, rest = body.partition(b"\0")
                self._label = self._statements[name] = _name_in(rest.partition(b"\0")[0])
            elif kind == b"B":
                name = body.partition(b"\0")[2].partition(b"\0")[0]
                self._label = self._statements.get(name, "?")
            elif kind == b"Q":
                yield _name_in(body)
            elif kind == b"H":
                self._preparing += 1
                yield f"prepare {self._label}"
            elif kind == b"S":
                yield self._label

    def told(self, data: bytes) -> int:
        """How many requests *data* has answered."""
        self._told += data
        return sum(self._answers(kind) for kind, _ in _messages(self._told))

    def _answers(self, kind: bytes) -> bool:
        described = self._preparing > 0 and kind in b"Tn"
        self._preparing -= described
        return described or kind == b"Z"

    def _skip_startup(self) -> bool:
        length = int.from_bytes(self._asked[:4], "big")
        if len(self._asked) < max(length, 8):
            return False
        del self._asked[:length]
        self._started = True
        return True


class Redis:
    """A command is an array of bulk strings; what is sent before an answer came is one request."""

    def __init__(self) -> None:
        self._open = False

    def asked(self, data: bytes) -> Iterator[str]:
        """A label for each request that *data* begins."""
        if not self._open and data.startswith(b"*"):
            self._open = True
            words = data.split(b"\r\n", 7)
            yield b" ".join(words[2:7:2][:2])[:24].decode("latin-1") if len(words) > 4 else "?"

    def told(self, _data: bytes) -> int:
        """How many requests were answered."""
        answered, self._open = self._open, False
        return int(answered)


class Mongo:
    """A request is one OP_MSG, called by the first field of its body."""

    def __init__(self) -> None:
        self._asked, self._told = bytearray(), bytearray()

    def asked(self, data: bytes) -> Iterator[str]:
        """A label for each request that *data* completes."""
        self._asked += data
        for body in _op_messages(self._asked):
            yield _command_in(body)

    def told(self, data: bytes) -> int:
        """How many requests *data* has answered."""
        self._told += data
        return sum(1 for _ in _op_messages(self._told))


Protocol = Postgres | Redis | Mongo
PROTOCOLS: dict[str, type[Protocol]] = {"postgres": Postgres, "redis": Redis, "mongo": Mongo}


def _messages(buffer: bytearray) -> Iterator[tuple[bytes, bytes]]:
    """Whole PostgreSQL messages, taken out of *buffer*."""
    while len(buffer) >= 5:
        end = 1 + int.from_bytes(buffer[1:5], "big")
        if len(buffer) < end:
            return
        kind, body = bytes(buffer[:1]), bytes(buffer[5:end])
        del buffer[:end]
        yield kind, body


def _op_messages(buffer: bytearray) -> Iterator[bytes]:
    """Whole MongoDB messages, taken out of *buffer*."""
    while len(buffer) >= 16:
        end = int.from_bytes(buffer[:4], "little")
        if len(buffer) < end:
            return
        body = bytes(buffer[:end])
        del buffer[:end]
        yield body


def _command_in(body: bytes) -> str:
    """An OP_MSG's command; the older kind of message is only used to greet."""
    if int.from_bytes(body[12:16], "little") != _OP_MSG:
        return "hello"
    return body[26 : body.index(b"\0", 26)].decode("latin-1")


def _name_in(query: bytes) -> str:
    """A road function's name, or the first words of a statement."""
    text = query.rstrip(b"\0; ").decode("utf-8", "replace")
    called = text.removeprefix("SELECT * FROM ")
    return called.partition("(")[0] if called != text else " ".join(text.split()[:3])[:24]
