"""``lyrox status`` is quick because it loads almost nothing."""

import subprocess
import sys
from pathlib import Path

from tests.system.process import Home

HEAVY = {"neonize", "openai", "tortoise", "taskiq", "asyncpg", "motor", "redis", "aiohttp"}
PROGRAM = """
import sys
from bot.cli.main import main
code = main(["status", "--config", sys.argv[1]])
print(code, *sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_status_loads_no_store_no_model_and_no_whatsapp(tmp_path: Path) -> None:
    home = Home(tmp_path)

    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(home.config)],
        capture_output=True,
        text=True,
        check=True,
    )

    code, *loaded = ran.stdout.splitlines()[-1].split()
    assert code == "3"
    assert set(loaded).isdisjoint(HEAVY)
    assert not home.data_dir.exists()
