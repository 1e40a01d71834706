import asyncio
import errno
import os
import resource
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.whatsapp.journal import Journal, JournalFull, Refusal
from bot.whatsapp.journal_records import Entry


def reopened(journal: Journal, folder: Path) -> list[Entry]:
    journal.close()
    again = Journal(folder)
    left = list(again.entries())
    again.close()
    return left


def test_what_was_not_released_comes_back_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    numbers = [journal.append(17, f"event {i}".encode()) for i in range(5)]
    journal.release(numbers[1])
    journal.release(numbers[3])

    left = reopened(journal, tmp_path)

    assert [entry.raw for entry in left] == [b"event 0", b"event 2", b"event 4"]
    assert [entry.seq for entry in left] == [numbers[0], numbers[2], numbers[4]]
    assert {entry.code for entry in left} == {17}


def test_entries_are_read_back_until_they_are_released_and_numbers_never_repeat(
    tmp_path: Path,
) -> None:
    first = Journal(tmp_path)
    first.append(17, b"a")
    first.close()
    second = Journal(tmp_path)

    assert second.append(17, b"b") == 2
    assert [entry.raw for entry in second.entries()] == [b"a", b"b"]
    second.release(1)
    assert [entry.raw for entry in second.entries()] == [b"b"]


def test_numbers_go_on_after_everything_was_released(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    last = journal.append(17, b"a")
    journal.release(last)
    journal.close()

    assert Journal(tmp_path).append(17, b"b") > last


def test_no_number_is_given_again_while_what_bore_it_is_set_aside(tmp_path: Path) -> None:
    """Else a kill would take the newer one for the one that is set aside, and forget it."""
    journal = Journal(tmp_path)
    journal.append(17, b"a")
    (seq,) = (entry.seq for entry in [journal.find(1)] if entry)
    journal.aside.keep(Entry(seq, 17, b"a"), why="ValueError", at=datetime.now(UTC))
    journal.release(seq)
    journal.close()
    for segment in tmp_path.glob("*.journal"):  # As when the next one cannot be begun.
        segment.unlink()

    assert Journal(tmp_path).append(17, b"b") > seq


def test_leftovers_survive_any_number_of_openings(tmp_path: Path) -> None:
    Journal(tmp_path).append(17, b"a")
    for _ in range(3):
        again = Journal(tmp_path)
        assert [entry.raw for entry in again.entries()] == [b"a"]
        again.close()


@pytest.mark.parametrize("torn", range(1, 25))
def test_a_torn_tail_takes_nothing_whole_with_it(tmp_path: Path, torn: int) -> None:
    journal = Journal(tmp_path)
    journal.append(17, b"whole")
    journal.append(17, b"torn")
    journal.close()
    (file,) = tmp_path.glob("*.journal")
    os.truncate(file, file.stat().st_size - torn)

    again = Journal(tmp_path)
    again.append(17, b"after")

    assert [entry.raw for entry in reopened(again, tmp_path)] == [b"whole", b"after"]


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(17, b"first")
    journal.append(17, b"second")
    journal.close()
    (file,) = tmp_path.glob("*.journal")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)

    assert [entry.raw for entry in Journal(tmp_path).entries()] == [b"first"]


def test_full_segments_go_when_all_in_them_is_released(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_bytes=2000)
    numbers = [journal.append(17, b"x" * 500) for _ in range(40)]
    assert len(list(tmp_path.glob("*.journal"))) > 5

    for number in numbers:
        journal.release(number)

    assert journal.waiting == 0
    assert len(list(tmp_path.glob("*.journal"))) == 1


def test_an_early_entry_keeps_its_segment_and_later_releases_hold(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_bytes=500)
    numbers = [journal.append(17, str(i).encode() * 100) for i in range(9)]
    for number in numbers[1:]:
        journal.release(number)

    assert next(entry.seq for entry in reopened(journal, tmp_path)) == numbers[0]


def test_a_full_disk_is_told_and_leaves_no_half_record(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(17, b"before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))  # Only half of the record fits.
    try:
        with pytest.raises(OSError, match="cannot grow") as caught:
            journal.append(17, b"lost" * 25)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert caught.value.errno == errno.ENOSPC
    assert journal.refusal is Refusal.DISK
    journal.append(17, b"after")
    assert [entry.raw for entry in reopened(journal, tmp_path)] == [b"before", b"after"]


def test_many_threads_may_append_and_release_at_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_bytes=3000)

    def work(name: int) -> None:
        for i in range(30):
            number = journal.append(17, f"{name}:{i}".encode())
            if i % 2:
                journal.release(number)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    left = reopened(journal, tmp_path)
    kept = {f"{name}:{i}" for name in range(4) for i in range(0, 30, 2)}
    assert kept <= {entry.raw.decode() for entry in left}
    assert len({entry.seq for entry in left}) == len(left)


APPENDS_UNTIL_KILLED = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from bot.whatsapp.journal import Journal

journal = Journal(Path(sys.argv[1]), segment_bytes=4000)
number = 0
while True:
    number += 1
    journal.append(17, f"event {number}".encode())
    print(number, flush=True)
"""


@pytest.mark.parametrize("after", [1, 40, 120])
async def test_a_kill_loses_nothing_that_was_said_to_be_kept(tmp_path: Path, after: int) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", APPENDS_UNTIL_KILLED, str(tmp_path)),
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    last = b"0"
    for _ in range(after):
        last = await process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    last = ((await process.stdout.read()).split(b"\n")[-2:-1] or [last])[0]
    await process.wait()

    left = [entry.raw for entry in Journal(tmp_path).entries()]

    assert left[: int(last)] == [f"event {i}".encode() for i in range(1, int(last) + 1)]


def test_a_closed_journal_refuses_instead_of_writing_into_another_file(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.close()
    with (tmp_path / "other").open("wb") as other:  # It gets the number that has become free.
        with pytest.raises(OSError, match="descriptor"):
            journal.append(17, b"late")
        other.flush()

    assert (tmp_path / "other").read_bytes() == b""


@pytest.mark.parametrize(("bound", "fit"), [({"most_bytes": 2000}, 4), ({"most_entries": 3}, 3)])
def test_at_its_bound_it_refuses_and_takes_more_once_some_are_released(
    tmp_path: Path, bound: dict[str, int], fit: int
) -> None:
    journal = Journal(tmp_path, segment_bytes=500, **bound)
    numbers = [journal.append(17, b"x" * 600) for _ in range(fit)]
    with pytest.raises(JournalFull, match="holds all it may"):
        journal.append(17, b"one too many")
    assert journal.refusal is Refusal.BOUND
    assert sum(file.stat().st_size for file in tmp_path.glob("*.journal")) < 2700

    for number in numbers:
        journal.release(number)
    journal.append(17, b"after")

    assert journal.refusal is None
    assert [entry.raw for entry in reopened(journal, tmp_path)] == [b"after"]


def test_what_an_earlier_process_left_counts_for_the_bound(tmp_path: Path) -> None:
    first = Journal(tmp_path)
    first.append(17, b"x" * 3000)
    first.close()

    with pytest.raises(JournalFull):
        Journal(tmp_path, most_bytes=2000).append(17, b"more")


def test_a_segment_that_cannot_be_begun_lets_the_former_one_grow(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", segment_bytes=100)
    journal.append(17, b"x" * 50)
    (tmp_path / "journal").rename(tmp_path / "away")  # Nothing can be made there now.

    journal.append(17, b"first" * 30)
    journal.append(17, b"second" * 30)

    (tmp_path / "away").rename(tmp_path / "journal")
    assert [entry.raw[:6] for entry in reopened(journal, tmp_path / "journal")] == [
        *(b"xxxxxx", b"firstf"),
        b"second",
    ]


def test_an_entry_that_waits_is_found_again_and_a_released_one_is_not(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    kept, gone = journal.append(17, b"kept"), journal.append(36, b"gone")
    journal.release(gone)

    assert journal.find(kept) == Entry(kept, 17, b"kept")
    assert journal.find(gone) is None
