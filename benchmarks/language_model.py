"""A loopback chat-completions server that answers every request after exactly so many seconds.

``python -m benchmarks.language_model --seconds 1.0`` prints its base URL and serves until its
standard input ends. It reads as little HTTP as two SDK transports need.
"""

import argparse
import asyncio
import json
import sys
import time
from typing import cast

_ANSWER = {
    "intent": "product_inquiry",
    "sentiment": "positive",
    "confidence": 0.9,
    "stage": "qualified",
    "actions": [],
    "text": "¡Hola! El plan es personal y lo armamos juntos. ¿Qué te gustaría lograr este mes?",
}
_COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "bench-1",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "logprobs": None,
            "message": {"role": "assistant", "content": json.dumps(_ANSWER), "refusal": None},
        }
    ],
    "usage": {"prompt_tokens": 900, "completion_tokens": 60, "total_tokens": 960},
}
_BODY = json.dumps(_COMPLETION).encode()
_RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_BODY)
) + _BODY


class _Connection(asyncio.Protocol):
    """One kept-alive connection with one request at a time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._read = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, mark, body = self._read.partition(b"\r\n\r\n")
        if not mark or len(body) < _content_length(bytes(head)):
            return
        self._read.clear()
        due = time.monotonic() + self._seconds
        # The loop's timers are up to a millisecond late: the rest is waited for exactly.
        asyncio.get_running_loop().call_later(self._seconds - 0.001, self._answer, due)

    def _answer(self, due: float) -> None:
        time.sleep(max(0.0, due - time.monotonic()))
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(_RESPONSE)


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


async def _serve(seconds: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(seconds), "127.0.0.1", 0, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}/v1", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description="A language model that answers on time.")
    parser.add_argument("--seconds", type=float, default=1.0)
    asyncio.run(_serve(parser.parse_args().seconds))


if __name__ == "__main__":
    main()
