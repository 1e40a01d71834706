"""A company that takes the whole process along is begun alone and seldom."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from bot.whatsapp.files import CompanyFiles
from bot.whatsapp.patience import Patience
from bot.whatsapp.suspects import SUSPICIOUS, Suspects

pytestmark = [pytest.mark.looptime, pytest.mark.asyncio(loop_scope="function")]


class Beginnings:
    """Starts on one host, each of which takes ten seconds; who began when."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._suspects = Suspects(Patience())
        self.began: dict[str, float] = {}
        self.suspected: dict[str, int] = {}

    async def start(self, name: str, unfinished: int) -> None:
        files = CompanyFiles(self._folder, uuid4())
        files.prepare()
        files.note_start(unfinished)
        async with self._suspects.start(files, self._note(name)):
            self.began[name] = asyncio.get_running_loop().time()
            await asyncio.sleep(10)

    def _note(self, name: str) -> Callable[[int], None]:
        return lambda count: self.suspected.update({name: count})


async def test_a_few_unfinished_starts_change_nothing(tmp_path: Path) -> None:
    beginnings = Beginnings(tmp_path)

    await asyncio.gather(*(beginnings.start(name, SUSPICIOUS - 1) for name in "abc"))

    assert set(beginnings.began.values()) == {0}
    assert beginnings.suspected == {}


async def test_suspects_begin_one_at_a_time_after_all_others(tmp_path: Path) -> None:
    beginnings = Beginnings(tmp_path)
    counts = {"innocent": 0, "a": SUSPICIOUS, "b": SUSPICIOUS, "again": SUSPICIOUS + 4}

    await asyncio.gather(*(beginnings.start(name, count) for name, count in counts.items()))
    first, second = sorted((beginnings.began["a"], beginnings.began["b"]))

    assert beginnings.began["innocent"] == 0
    assert first >= 20
    assert second - first > 9.99
    assert beginnings.began["again"] > 300
    assert beginnings.suspected == {name: n for name, n in counts.items() if n >= SUSPICIOUS}


async def test_no_suspect_waits_longer_than_about_an_hour(tmp_path: Path) -> None:
    beginnings = Beginnings(tmp_path)

    await beginnings.start("a", 1000)

    assert 2700 <= beginnings.began["a"] <= 3600


async def test_what_is_no_count_is_none(tmp_path: Path) -> None:
    files = CompanyFiles(tmp_path, uuid4())
    files.prepare()
    files.starts.write_bytes(b"\xff")

    assert files.unfinished_starts() == 0
