"""A daemon that has grown too large ends in peace, and a fresh one knows of it."""

import sys
from pathlib import Path

from tests.system.process import Daemon, Home, running, spawned

GROWING = Path(__file__).with_name("growing.py")


async def test_a_daemon_that_grew_ends_in_peace_and_the_next_one_counts_it(
    tmp_path: Path, store_urls: dict[str, str]
) -> None:
    home = Home(tmp_path / "home", stores=store_urls, whatsapp={"enabled": False})

    async with spawned(Path(sys.executable), GROWING, home.config) as process:
        grown = Daemon(process)
        code = await grown.ended()
    async with running(home) as fresh:
        await fresh.ready()
        _, metrics = await home.get("/metrics")

    assert code == 5
    assert "stopping: turns at work are finished first" in grown.said
    told = grown.lines[-1]
    assert told.startswith("lyrox: ")
    assert "more than recycle_memory_mb = 1024" in told
    assert 'lyrox_recycles_total{cause="memory"} 1.0' in metrics
