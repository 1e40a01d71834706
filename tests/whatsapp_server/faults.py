"""What the server does wrong to one owner's clients, and the stanzas with which it refuses them.

Facts: a login is refused with a ``failure`` whose ``reason`` is a number, a session is ended with
a ``stream:error``; the server hangs up after either. What it was not told of by a receipt it
delivers again after the next login.
"""

from dataclasses import dataclass

from tests.whatsapp_server.nodes import Node


@dataclass
class Faults:
    """Switched by a test; each counts from the next stanza on.

    ``refuses`` is said instead of letting a client log in; ``silent`` is said nothing at all, then
    and later. ``delay`` seconds lie before each answer, ``backlog_delay`` before what came
    while the client was away. The line breaks instead of taking so many of the client's messages
    (``cuts_before``), or instead of an ack for one that was brought (``cuts_after``). So many times
    (``hurries``) the server hangs up together with its last word: a client that gets both at once
    may take them in any order.
    """

    refuses: Node | None = None
    silent: bool = False
    delay: float = 0.0
    backlog_delay: float = 0.0
    withholds_acks: bool = False
    loses_receipts: bool = False
    cuts_before: int = 0
    cuts_after: int = 0
    hurries: int = 0


def failure(reason: int, **attrs: str) -> Node:
    """A refused login."""
    return Node("failure", {"reason": str(reason), "location": "lla", **attrs})


def suspension(code: int, seconds: int) -> Node:
    """A refused login of an account that is banned for a while."""
    return failure(402, code=str(code), expire=str(seconds))


def stream_error(code: int | str, *content: Node) -> Node:
    """The end of a session."""
    return Node("stream:error", {"code": str(code)}, content or None)


def conflict(kind: str, code: str = "") -> Node:
    """The end of a session that another one replaced, or whose device was removed."""
    return stream_error(code, Node("conflict", {"type": kind}))
