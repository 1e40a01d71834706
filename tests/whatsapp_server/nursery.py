"""Paired companies for a test or a benchmark, made by one process of the real client."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from bot.whatsapp.files import CompanyFiles, Pairing
from tests.whatsapp_server.people import Owner
from tests.whatsapp_server.server import WhatsAppServer

_PROGRAM = Path(__file__).with_name("seeding.py")


async def seed(server: WhatsAppServer, state_dir: Path, owners: Mapping[UUID, Owner]) -> None:
    """Pair each company with its owner; session file and note lie where the daemon looks.

    What a phone tells a new device waits for the next login, because this client leaves at once.
    Raises RuntimeError where a client did not come so far.
    """
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", str(_PROGRAM), str(state_dir), *map(str, owners)),
        stdout=PIPE,
        env=os.environ | server.environment,
    )
    greets, server.greets = server.greets, False
    if child.stdout is None:
        raise RuntimeError("the seeding process has no output")
    async for line in child.stdout:
        said = json.loads(line)
        owner = owners[UUID(said["company"])]
        if said["event"] == "code":
            server.spawn(server.scan(owner, said["code"]))
        elif said["event"] == "failed":
            raise RuntimeError(f"{said['company']} was not paired: {said['error']}")
        else:
            CompanyFiles(state_dir, UUID(said["company"])).write_note(_note(owner))
    await child.wait()
    server.greets = greets


def _note(owner: Owner) -> Pairing:
    number, _ = owner.client
    jid, lid = str(owner.jid(number)), str(owner.lid_jid(number))
    return Pairing(jid, lid, "android", datetime.now(UTC))
