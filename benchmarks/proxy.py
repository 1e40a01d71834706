"""A process between a pipeline and one of its stores that writes down every round trip.

``python -m benchmarks.proxy FOLDER NAME SOCKET`` stands in for the store NAME at SOCKET, on the
socket `listening` names. It prints ``ready``, and answers each line on standard input with the
round trips since the last one, as JSON.

Every answer is held back for `HELD_SECONDS`, as a store in another house would. So requests that
do not wait for one another overlap, and whoever waits for an answer begins after it: waves show
what waits for what, and not how fast this machine is.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.protocols import PROTOCOLS, Protocol

HELD_SECONDS = 0.05

Trip = tuple[str, str, float, float]
"""Store, label, when the request was whole, when its answer came."""


class Proxy:
    """Passes bytes on unchanged and takes note of what they mean."""

    def __init__(self, name: str, target: str) -> None:
        self._name = name
        self._target = target
        self._trips: list[Trip] = []

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Stand in for the store on one connection."""
        theirs, ours = await asyncio.open_unix_connection(self._target)
        meaning = PROTOCOLS[self._name]()
        waiting: list[tuple[str, float]] = []

        def answered(data: bytes) -> None:
            self._tell(meaning, data, waiting)
            writer.write(data)

        def asked(data: bytes) -> None:
            _ask(meaning, data, waiting)
            ours.write(data)

        await asyncio.gather(_each(reader, ours, asked), _each(theirs, writer, _later(answered)))

    def take(self) -> list[Trip]:
        """Everything since the last time."""
        trips, self._trips = self._trips, []
        return trips

    def _tell(self, meaning: Protocol, data: bytes, waiting: list[tuple[str, float]]) -> None:
        now = time.monotonic()
        for _ in range(meaning.told(data)):
            if waiting:
                label, began = waiting.pop(0)
                self._trips.append((self._name, label, began, now))


async def _each(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, take: Callable[[bytes], None]
) -> None:
    try:
        while data := await reader.read(65536):
            take(data)
    finally:
        writer.close()


def _later(take: Callable[[bytes], None]) -> Callable[[bytes], None]:
    loop = asyncio.get_running_loop()

    def held(data: bytes) -> None:
        loop.call_later(HELD_SECONDS, take, data)

    return held


def _ask(meaning: Protocol, data: bytes, waiting: list[tuple[str, float]]) -> None:
    now = time.monotonic()
    waiting.extend((label, now) for label in meaning.asked(data))


async def _run(folder: Path, name: str, target: str) -> None:
    proxy = Proxy(name, target)
    await asyncio.start_unix_server(proxy.connected, str(listening(folder, name)))
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(proxy.take()), flush=True)
    os._exit(
        0
    )  # Whoever is still connected has ended too, and cancelling would be told as an error.


def listening(folder: Path, name: str) -> Path:
    """Where the stand-in for a store is found."""
    return folder / (".s.PGSQL.5432" if name == "postgres" else f"{name}.sock")


def main() -> None:
    """Stand between until standard input ends."""
    folder, name, target = sys.argv[1:]
    asyncio.run(_run(Path(folder), name, target))


if __name__ == "__main__":
    main()
