"""The server as a program, for benchmarks: ``python -m tests.whatsapp_server FOLDER``.

Run in the repository's root, on Linux x86-64. It speaks JSON lines. The first it says is
``{"event": "open", "environment": {…}, "pid": …}``: what the environment of a client must hold when
it is executed (HTTPS_PROXY, SSL_CERT_FILE). Each command is one line ``{"do": …, "id": …, …}``,
is answered by ``{"event": "answer", "id": …, "value": …}`` or with ``"error"`` in place of
``"value"``, and does not wait for the commands before it. The program ends with ``stop`` or with
its input.

``seed``    ``state_dir``, ``companies`` (UUIDs): pairs each with an owner of its own and leaves the
            session file and the pairing note where the daemon looks for them. The value holds, by
            company, ``number``, ``lid`` and ``jid``. About 0.1 s a company, all with one client.
            The phones tell the new devices neither a name nor a history.
``online``  ``count``, ``seconds`` = 60: waits until so many owners' clients are logged in and take
            messages; the value is how many are and the ``waited`` seconds.
``drive``   ``customers`` (of each owner), and optionally ``companies`` (all), ``messages`` = 1 (of
            each customer), ``text`` (may hold {owner}, {customer}, {number}), ``echoes`` = false
            (a reply must repeat the text), ``reply_seconds`` = 60, ``pause`` = 0. Every customer
            writes, waits for the reply and writes again. The value: ``replies``, ``lost``,
            ``wrong`` (no echo), ``samples`` of these, ``seconds``, ``per_second``, ``p50_ms``,
            ``p99_ms``, ``max_ms``. Customers stay, so a drive before it warms their sessions up.
            With ``shared`` = true the same people write to all the companies at once. A reply from
            another company is nobody's: the one that was waited for is lost, and the other stays
            unread.
``figures`` the program's own ``cpu_seconds``, ``rss_mb``, and ``unreadable``: messages no customer
            could decrypt, and ``unread``: replies that nobody waited for since the last drive.
``unlink``  ``company``: the owner removes the linked device.
``drop``    ``companies`` (all): cuts their lines.
"""

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.whatsapp_server.library import client_library
from tests.whatsapp_server.load import Crowd, order_of
from tests.whatsapp_server.nursery import seed
from tests.whatsapp_server.people import Owner
from tests.whatsapp_server.server import WhatsAppServer

_FIRST_NUMBER = 5215500000000
_FIRST_LID = 700000000000000

Words = dict[str, Any]


class Program:
    """The server, and which owner belongs to which company."""

    def __init__(self, server: WhatsAppServer) -> None:
        self._server = server
        self._owners: dict[str, Owner] = {}
        self._crowd = Crowd(server)

    async def obey(self, command: Words) -> None:
        """Do it and answer."""
        deeds: dict[str, Callable[[Words], Awaitable[object]]] = {
            "seed": self._seed,
            "online": self._online,
            "drive": self._drive,
            "figures": self._figures,
            "unlink": self._unlink,
            "drop": self._drop,
        }
        number = command.get("id")
        try:
            say(event="answer", id=number, value=await deeds[command["do"]](command))
        except (KeyError, ValueError, TypeError, RuntimeError, TimeoutError) as error:
            say(event="answer", id=number, error=f"{type(error).__name__}: {error}")

    async def _seed(self, command: Words) -> object:
        owners = {UUID(company): self._new_owner(company) for company in command["companies"]}
        await seed(self._server, Path(command["state_dir"]), owners)
        return {str(company): _owner_words(owner) for company, owner in owners.items()}

    def _new_owner(self, company: str) -> Owner:
        place = len(self._server.owners)
        owner = self._server.owner(str(_FIRST_NUMBER + place), str(_FIRST_LID + place))
        self._owners[company] = owner
        return owner

    async def _online(self, command: Words) -> object:
        began = time.monotonic()
        async with asyncio.timeout(command.get("seconds", 60)):
            while (count := self._active()) < command["count"]:
                self._server.logged_in.clear()
                await self._server.logged_in.wait()
        return {"count": count, "waited": round(time.monotonic() - began, 3)}

    def _active(self) -> int:
        return sum(connection.active for connection in self._server.online.values())

    async def _drive(self, command: Words) -> object:
        owners = [self._owners[company] for company in self._chosen(command)]
        tally = await self._crowd.drive(owners, command["customers"], order_of(command))
        return tally.summary()

    def _chosen(self, command: Words) -> list[str]:
        return command.get("companies") or list(self._owners)

    async def _figures(self, _command: Words) -> object:
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        unreadable = sum(len(customer.unreadable) for customer in self._server.customers)
        cpu = round(time.process_time(), 3)
        unread = self._crowd.unread()
        memory = round(rss)
        return {"cpu_seconds": cpu, "rss_mb": memory, "unreadable": unreadable, "unread": unread}

    async def _unlink(self, command: Words) -> None:
        await self._server.unlink(self._owners[command["company"]])

    async def _drop(self, command: Words) -> None:
        for company in self._chosen(command):
            self._server.online[self._owners[company].number].drop()


def _owner_words(owner: Owner) -> dict[str, str]:
    device, _ = owner.client
    return {
        "number": owner.number,
        "lid": str(owner.lid_jid(device)),
        "jid": str(owner.jid(device)),
    }


def say(**words: object) -> None:
    """One line for whoever started us."""
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


async def main(folder: Path) -> None:
    """Serve until ``stop`` or the end of the input."""
    library = client_library()
    if library is None:
        raise SystemExit("the server needs Linux on x86-64 with neonize installed")
    reader, loop = asyncio.StreamReader(2**20), asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with WhatsAppServer(library).open(folder) as server:
        server.remembers = False
        program = Program(server)
        say(event="open", environment=server.environment, pid=os.getpid())
        while (line := await reader.readline()) and (command := json.loads(line))["do"] != "stop":
            server.spawn(program.obey(command))


if __name__ == "__main__":
    place = Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(place))
