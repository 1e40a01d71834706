"""Nodes and their binary form.

Facts: a node is a list of tag, attributes and content; a string is a token, packed digits, an
address or raw bytes; the server may write every string raw, but an address must be an address.
The first byte of a frame tells whether the rest is deflated.
"""

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.whatsapp_server.tokens import Tokens

_EMPTY, _LIST_8, _LIST_16 = 0, 248, 249
_AD_JID, _JID_PAIR = 247, 250
_HEX, _BINARY_8, _BINARY_20, _BINARY_32, _NIBBLE = 251, 252, 253, 254, 255
_DICTIONARY = 236
_DOMAINS = {"s.whatsapp.net": 0, "lid": 1}


@dataclass(frozen=True, slots=True)
class Jid:
    """An address: a user's, or a server's own where the user is empty."""

    user: str
    server: str
    device: int = 0

    def bare(self) -> "Jid":
        """Without the device."""
        return Jid(self.user, self.server)

    def __str__(self) -> str:
        device = f":{self.device}" if self.device else ""
        return f"{self.user}{device}@{self.server}" if self.user else self.server


SERVER = Jid("", "s.whatsapp.net")
Value = str | Jid
Content = bytes | Sequence["Node"] | None


@dataclass(frozen=True)
class Node:
    """One element; content is bytes, children, or nothing."""

    tag: str
    attrs: Mapping[str, Value] = field(default_factory=dict)
    content: Content = None

    @property
    def children(self) -> Sequence["Node"]:
        """The child nodes, none where the content is bytes."""
        return () if self.content is None or isinstance(self.content, bytes) else self.content

    @property
    def data(self) -> bytes:
        """The bytes, none where the content is children."""
        return self.content if isinstance(self.content, bytes) else b""

    def child(self, *path: str) -> "Node":
        """The first descendant along *path*; an empty node where there is none."""
        node = self
        for tag in path:
            node = next((one for one in node.children if one.tag == tag), Node(""))
        return node

    def get(self, name: str) -> str:
        """An attribute as text."""
        return str(self.attrs.get(name, ""))


def encode(node: Node) -> bytes:
    """A frame's plaintext, never deflated."""
    return b"\x00" + _node(node)


def decode(frame: bytes, tokens: Tokens) -> Node:
    """The node in a frame's plaintext."""
    data = zlib.decompress(frame[1:]) if frame[0] & 2 else frame[1:]
    return _Reader(data, tokens).node()


def _node(node: Node) -> bytes:
    attrs = {name: value for name, value in node.attrs.items() if value != ""}
    parts = [_list(1 + 2 * len(attrs) + (node.content is not None)), _text(node.tag)]
    for name, value in attrs.items():
        parts += [_text(name), _jid(value) if isinstance(value, Jid) else _text(value)]
    if isinstance(node.content, bytes):
        parts.append(_raw(node.content))
    elif node.content is not None:
        parts += [_list(len(node.content)), *map(_node, node.content)]
    return b"".join(parts)


def _list(size: int) -> bytes:
    if size == 0:
        return bytes([_EMPTY])
    return bytes([_LIST_8, size]) if size < 256 else struct.pack(">BH", _LIST_16, size)


def _text(text: str) -> bytes:
    return _raw(text.encode())


def _raw(data: bytes) -> bytes:
    if len(data) < 256:
        return bytes([_BINARY_8, len(data)]) + data
    return struct.pack(">BI", _BINARY_32, len(data)) + data


def _jid(jid: Jid) -> bytes:
    if jid.device:
        return bytes([_AD_JID, _DOMAINS[jid.server], jid.device]) + _text(jid.user)
    user = _text(jid.user) if jid.user else bytes([_EMPTY])
    return bytes([_JID_PAIR]) + user + _text(jid.server)


class _Reader:
    def __init__(self, data: bytes, tokens: Tokens) -> None:
        self._data, self._at, self._tokens = data, 0, tokens

    def node(self) -> Node:
        size = self._size(self._byte())
        tag = _as_text(self._value(self._byte()))
        attrs = {}
        for _ in range((size - 1) // 2):
            name = _as_text(self._value(self._byte()))
            value = self._value(self._byte())
            attrs[name] = value if isinstance(value, Jid) else _as_text(value)
        return Node(tag, attrs, self._content() if size % 2 == 0 else None)

    def _content(self) -> Content:
        mark = self._byte()
        if mark in (_EMPTY, _LIST_8, _LIST_16):
            return [self.node() for _ in range(self._size(mark))]
        value = self._value(mark)
        return value if isinstance(value, bytes) else str(value).encode()

    def _value(self, mark: int) -> str | bytes | Jid:
        if mark == _EMPTY:
            return ""
        if mark < _DICTIONARY:
            return self._tokens.single[mark]
        if mark < _DICTIONARY + 4:
            return self._tokens.double[mark - _DICTIONARY][self._byte()]
        if mark in (_JID_PAIR, _AD_JID):
            return self._jid(mark)
        if mark in (_HEX, _NIBBLE):
            return self._packed("0123456789ABCDEF" if mark == _HEX else "0123456789-.\0\0\0\0")
        return self._take(self._length(mark))

    def _jid(self, mark: int) -> Jid:
        if mark == _JID_PAIR:
            user = _as_text(self._value(self._byte()))
            return Jid(user, _as_text(self._value(self._byte())))
        domain, device = self._byte(), self._byte()
        server = next((name for name, number in _DOMAINS.items() if number == domain), "hosted")
        return Jid(_as_text(self._value(self._byte())), server, device)

    def _packed(self, alphabet: str) -> str:
        head = self._byte()
        packed = self._take(head & 127)
        text = "".join(alphabet[byte >> 4] + alphabet[byte & 15] for byte in packed)
        return text[:-1] if head & 128 else text

    def _length(self, mark: int) -> int:
        if mark == _BINARY_8:
            return self._byte()
        if mark == _BINARY_20:
            high, middle, low = self._take(3)
            return (high & 15) << 16 | middle << 8 | low
        if mark == _BINARY_32:
            return int.from_bytes(self._take(4), "big")
        raise ValueError(f"byte {mark} begins no string")

    def _size(self, mark: int) -> int:
        if mark == _EMPTY:
            return 0
        return self._byte() if mark == _LIST_8 else int.from_bytes(self._take(2), "big")

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _take(self, count: int) -> bytes:
        self._at += count
        return self._data[self._at - count : self._at]


def _as_text(value: str | bytes | Jid) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
