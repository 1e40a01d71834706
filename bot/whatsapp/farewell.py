"""One number serves one company: the second phone is refused, and unlinked where that is safe."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from functools import partial

from bot.whatsapp.callbacks import CONNECTED, Observer
from bot.whatsapp.files import CompanyFiles, phone_of
from bot.whatsapp.host import Host
from bot.whatsapp.session_parts import Connection
from bot.whatsapp.states import Reason, State
from bot.wire import NotSent
from models.errors import OwnerMustAct

log = logging.getLogger(__name__)

_REFUSALS = (6, 7, 8, 9, 10)  # Logged out, replaced, suspended, refused, outdated.


class NumberTaken(OwnerMustAct):
    """Another company has the number."""


async def claim_number(host: Host, files: CompanyFiles, device: Mapping[str, str]) -> None:
    """Make the device's number the company's. Raises NumberTaken where another one has it.

    The refused phone must not stay linked, or its owner believes that all is well. Two things
    could harm the other company, and are left: a file that is a copy of its own (unlinking
    that device would unlink it), and a holder of whose device nothing is known.
    """
    other = await host.leases.claim_number(files.company_id, phone_of(device["jid"]))
    if other is None:
        return
    state = State(Reason.NUMBER_IN_USE)
    host.on_state(files.company_id, state)
    if other == device["jid"]:
        files.set_aside("copy", host.now())
    elif other:
        await _unlink(host, files)
    raise NumberTaken(state.sentence("en"))


async def _unlink(host: Host, files: CompanyFiles) -> None:
    if await host.unreachable() is None:
        connect = partial(host.connect, files.company_id, files.session)
        await Farewell(connect, limit=host.patience.connect).say()


class Farewell:
    """Connects only to say goodbye.

    What arrives meanwhile is dropped on purpose: it was written to the other company, whose own
    device gets a copy of it.
    """

    def __init__(self, connect: Callable[[Observer], Connection], *, limit: float) -> None:
        self._connect = connect
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._connected: asyncio.Future[bool] = self._loop.create_future()

    async def say(self) -> None:
        """Have the phone unlink this device, which deletes it here too; tried once."""
        connection = self._connect(self)
        try:
            await connection.start()
            async with asyncio.timeout(self._limit):
                if await self._connected:
                    await connection.log_out()
        except (NotSent, TimeoutError) as error:
            log.warning("a device could not be logged out", extra={"why": str(error)})
        finally:
            await connection.stop()

    def on_event(self, code: int, _raw: bytes) -> None:
        """Only whether there is a login matters."""
        if code == CONNECTED:
            self._tell(True)
        elif code in _REFUSALS:
            self._tell(False)

    def on_code(self, _code: str) -> None:
        """No device is there any more."""
        self._tell(False)

    def on_login(self, _status: str) -> None:
        """Only a pairing child pairs."""

    def on_end(self, _error: str) -> None:
        """No connection came about."""
        self._tell(False)

    def _tell(self, connected: bool) -> None:
        def settle() -> None:
            if not self._connected.done():
                self._connected.set_result(connected)

        with contextlib.suppress(RuntimeError):  # The loop may be closed before the client.
            self._loop.call_soon_threadsafe(settle)
