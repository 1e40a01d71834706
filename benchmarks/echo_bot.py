"""The bare bot that ours is compared with: neonize as its own documentation uses it.

``python -m benchmarks.echo_bot [--wal] SESSION_FILE…`` connects every session, one after another,
says ``ready`` and answers each text with the same text until its standard input ends. It gets
one thing a first bot would lack: an executor with room for all sessions, without which the sixth
would freeze it. With ``--wal`` its files are in the mode that ours have too.
"""

import argparse
import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bot.whatsapp import library

_TUNING = "?_foreign_keys=on&_journal_mode=WAL&_synchronous=NORMAL&_busy_timeout=10000&z=1"
_CONNECT_SECONDS = 30.0


async def _connected(path: str, tuning: str) -> Any:
    """A client that echoes; returned once it is connected."""
    from neonize.aioze.client import NewAClient
    from neonize.aioze.events import ConnectedEv, MessageEv
    from neonize.proto.waE2E.WAWebProtobufsE2E_pb2 import Message

    client = NewAClient(path + tuning, uuid=path)
    connected = asyncio.Event()

    async def on_connected(*_: object) -> None:
        connected.set()

    async def on_message(client: Any, event: Any) -> None:
        source = event.Info.MessageSource
        if not source.IsFromMe and event.Message.conversation:
            reply = Message(conversation=event.Message.conversation)
            await client.send_message(source.Chat, reply)

    client.event(ConnectedEv)(on_connected)
    client.event(MessageEv)(on_message)
    await client.connect()
    async with asyncio.timeout(_CONNECT_SECONDS):
        await connected.wait()
    return client


async def _run(paths: list[str], tuning: str) -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(len(paths) + 64))
    clients = [await _connected(path, tuning) for path in paths]
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for client in clients:
        await client.disconnect()
    os._exit(0)  # The client's threads would hold the interpreter back.


def main() -> None:
    """Echo until standard input ends."""
    parser = argparse.ArgumentParser(description="A bare echo bot.")
    parser.add_argument("--wal", action="store_true")
    parser.add_argument("files", nargs="+")
    told = parser.parse_args()
    library.load()  # Finds libmagic, and keeps the client's own prints off our output.
    asyncio.run(_run(told.files, _TUNING if told.wal else ""))


if __name__ == "__main__":
    main()
