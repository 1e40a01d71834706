"""The disk of the state directory is full while customers write: acceptance stops, nothing is lost.

It needs root, for a disk of eight megabytes; `tests/bot/whatsapp/test_journal.py` fills one for
everybody, by RLIMIT_FSIZE.
"""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.town import Town, open_town
from tests.system.warm import Warm

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

RESUME_SECONDS = 5.0
"""Until everybody who had written has an answer, once there is room again."""
REBORN_SECONDS = 8.0
"""The same after a death."""
DRAIN_SECONDS = 40.0
_BLOCK = 2**16


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Eight megabytes at *folder*."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a disk of its own needs root: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607


def fill(folder: Path) -> Path:
    """Leave no byte on that disk; the file that took them."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (_BLOCK, 512, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue
    return filler


@pytest.fixture(scope="module")
async def town(nursery: Warm, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """A town whose state directory is on a small disk."""
    folder = tmp_path_factory.mktemp("town")
    with small_disk(folder / "var" / "state"):
        async with open_town(folder, nursery) as opened:
            yield opened


async def test_a_full_disk_costs_no_customer_an_answer(town: Town) -> None:
    daemon = await town.start()
    crowd = town.crowd()
    async with crowd.writing():
        await asyncio.sleep(2.0)
        filler = fill(town.home.state_dir)
        await daemon.until("free disk space")
        before = sum(len(person.written) for person in crowd.people)
        await asyncio.sleep(5.0)
        filler.unlink()
        well = time.monotonic()
        await asyncio.sleep(2.0)

    await crowd.answered(DRAIN_SECONDS)
    row = await town.verdict("disk full", crowd, well)

    print(row.line(), crowd.count(), crowd.notices())
    assert crowd.count() > before
    assert (row.lost, row.doubled, row.disordered, row.wrong, row.unresolved) == (0, 0, 0, 0, 0)
    assert crowd.recovery(well) <= RESUME_SECONDS


async def test_a_death_on_a_full_disk_costs_no_customer_an_answer(town: Town) -> None:
    daemon = await town.start()
    crowd = town.crowd()
    async with crowd.writing():
        await asyncio.sleep(2.0)
        filler = fill(town.home.state_dir)
        await daemon.until("free disk space")
        await asyncio.sleep(2.0)
        await town.kill()
        well = time.monotonic()
        filler.unlink()
        await town.start()
        await asyncio.sleep(2.0)

    await crowd.answered(DRAIN_SECONDS)
    row = await town.verdict("disk full, and killed", crowd, well)

    print(row.line(), crowd.count(), crowd.notices())
    assert (row.lost, row.doubled, row.disordered, row.wrong, row.unresolved) == (0, 0, 0, 0, 0)
    assert crowd.recovery(well) <= REBORN_SECONDS
