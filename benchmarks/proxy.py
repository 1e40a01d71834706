"""A process between a pipeline and its stores that writes down every round trip.

``python -m benchmarks.proxy FOLDER NAME=SOCKET…`` listens on ``FOLDER/<name>`` for each NAME
(for PostgreSQL on the socket name that its clients expect), prints ``ready``, and answers each
line on standard input with the round trips since the last one, as JSON.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.protocols import PROTOCOLS, Protocol

Trip = tuple[str, str, float, float]
"""Store, label, when the request was whole, when its answer came."""

Note = Callable[[bytes], None]


class Proxy:
    """Passes bytes on unchanged and takes note of what they mean."""

    def __init__(self) -> None:
        self._trips: list[Trip] = []

    async def serve(self, name: str, listen: Path, target: str) -> None:
        """Stand in for the store *name*."""

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            theirs, ours = await asyncio.open_unix_connection(target)
            meaning = PROTOCOLS[name]()
            waiting: list[tuple[str, float]] = []
            await asyncio.gather(
                self._pass_on(reader, ours, lambda data: _ask(meaning, data, waiting)),
                self._pass_on(
                    theirs, writer, lambda data: self._tell(name, meaning, data, waiting)
                ),
            )

        await asyncio.start_unix_server(connected, str(listen))

    def take(self) -> list[Trip]:
        """Everything since the last time."""
        trips, self._trips = self._trips, []
        return trips

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, note: Note
    ) -> None:
        try:
            while data := await reader.read(65536):
                note(data)
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()

    def _tell(
        self, name: str, meaning: Protocol, data: bytes, waiting: list[tuple[str, float]]
    ) -> None:
        now = time.monotonic()
        for _ in range(meaning.told(data)):
            if waiting:
                label, began = waiting.pop(0)
                self._trips.append((name, label, began, now))


def _ask(meaning: Protocol, data: bytes, waiting: list[tuple[str, float]]) -> None:
    now = time.monotonic()
    waiting.extend((label, now) for label in meaning.asked(data))


async def _run(folder: Path, targets: dict[str, str]) -> None:
    proxy = Proxy()
    for name, target in targets.items():
        await proxy.serve(name, listening(folder, name), target)
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(proxy.take()), flush=True)


def listening(folder: Path, name: str) -> Path:
    """Where the stand-in for a store is found."""
    return folder / (".s.PGSQL.5432" if name == "postgres" else f"{name}.sock")


def main() -> None:
    """Stand between until standard input ends."""
    folder, *pairs = sys.argv[1:]
    asyncio.run(_run(Path(folder), dict(pair.split("=", 1) for pair in pairs)))


if __name__ == "__main__":
    main()
