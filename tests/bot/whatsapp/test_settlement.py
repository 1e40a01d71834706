import asyncio
import os
import re
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from bot.whatsapp.session_file import RATCHETS, Ratchets
from bot.whatsapp.settlement import SessionBooks, SessionDamaged
from bot.wire import Unsettled
from models.errors import RetryLater
from tests.fakes.connection import SessionFile

LID, NUMBER = "999888777666555", "5215587654321"


@pytest.fixture
async def books() -> AsyncIterator[SessionBooks]:
    books = SessionBooks()
    yield books
    await books.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a company's %20 ? file.sqlite"


def paired(path: Path) -> SessionFile:
    file = SessionFile(path)
    file.pair()
    return file


def write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def content(path: Path) -> bytes:
    return path.read_bytes()


async def test_only_a_paired_file_has_a_device(books: SessionBooks, path: Path) -> None:
    assert await books.device(path) is None
    file = SessionFile(path)
    assert await books.device(path) is None

    file.pair("521", lid="77")

    device = {"jid": "521:1@s.whatsapp.net", "lid": "77:1@lid", "platform": "android"}
    assert await books.device(path) == device
    file.unpair()
    assert await books.device(path) is None


async def test_a_file_without_tables_is_simply_unpaired(books: SessionBooks, path: Path) -> None:
    write(path, b"")

    assert await books.device(path) is None


async def test_looking_leaves_the_file_and_its_log_alone(books: SessionBooks, path: Path) -> None:
    SessionFile(path).pair()
    before = content(path)

    await books.device(path)

    assert content(path) == before


@pytest.mark.parametrize(
    ("written", "turned", "sent"),
    [(False, False, False), (False, True, False), (True, False, False), (True, True, True)],
)
async def test_a_send_left_only_if_its_secret_was_written_and_its_ratchet_turned(
    books: SessionBooks, path: Path, written: bool, turned: bool, sent: bool
) -> None:
    file, secret = paired(path), os.urandom(32)
    file.turn_ratchet(f"{LID}_1:0")
    before = await books.sessions_hash(path, f"{LID}@lid")
    if written:
        file.write_secret(f"{LID}@lid", "3EB0AA", secret)
    if turned:
        file.turn_ratchet(f"{LID}_1:0")

    (verdict,) = await books.settle(path, [Unsettled(1, f"{LID}@lid", secret, before)])

    assert verdict.sent is sent
    assert verdict.wa_id == ("3EB0AA" if sent else None)


async def test_without_a_hash_a_written_secret_counts_as_sent(
    books: SessionBooks, path: Path
) -> None:
    file, secret = SessionFile(path), os.urandom(32)
    file.write_secret(f"{LID}@lid", "3EB0AA", secret)

    (verdict,) = await books.settle(path, [Unsettled(1, f"{LID}@lid", secret, None)])

    assert verdict.sent


async def test_a_chat_by_number_sees_the_ratchet_of_its_hidden_address(
    books: SessionBooks, path: Path
) -> None:
    file = paired(path)
    file.know(LID, NUMBER)
    before = await books.sessions_hash(path, f"{NUMBER}@s.whatsapp.net")

    file.turn_ratchet(f"{LID}_1:0")

    assert await books.sessions_hash(path, f"{NUMBER}@s.whatsapp.net") != before


async def test_somebody_elses_ratchet_changes_nothing(books: SessionBooks, path: Path) -> None:
    file = paired(path)
    before = await books.sessions_hash(path, "999@lid")

    for other in ("9990_1:0", "8999_1:0", "99_1:0", "999x:0"):
        file.turn_ratchet(other)

    assert await books.sessions_hash(path, "999@lid") == before


async def test_a_file_in_the_place_of_another_is_the_one_that_is_asked(
    books: SessionBooks, path: Path, tmp_path: Path
) -> None:
    paired(path).turn_ratchet(f"{LID}_1:0")
    nothing = await books.sessions_hash(tmp_path / "none.sqlite", f"{LID}@lid")
    before = await books.sessions_hash(path, f"{LID}@lid")
    assert before != nothing

    gone(path)
    assert await books.sessions_hash(path, f"{LID}@lid") == nothing
    paired(path).turn_ratchet(f"{LID}_1:0")

    assert await books.sessions_hash(path, f"{LID}@lid") not in (before, nothing)


async def test_a_file_that_was_replaced_meanwhile_is_the_one_that_is_asked(
    books: SessionBooks, path: Path, tmp_path: Path
) -> None:
    paired(path).turn_ratchet(f"{LID}_1:0")
    before = await books.sessions_hash(path, f"{LID}@lid")
    other = tmp_path / "other.sqlite"
    paired(other).turn_ratchet(f"{LID}_1:0")
    gone(path)

    other.rename(path)

    assert await books.sessions_hash(path, f"{LID}@lid") != before


async def test_a_persons_ratchets_are_found_by_the_tables_key_among_all_customers(
    path: Path,
) -> None:
    paired(path)

    with closing(sqlite3.connect(path)) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {RATCHETS}", {"user": NUMBER}).fetchall()

    readings = {str(step[3]) for step in plan if "whatsmeow_sessions" in step[3]}
    assert len(readings) == 1
    assert all("(our_jid=? AND their_id>? AND their_id<?)" in reading for reading in readings)


@pytest.mark.parametrize(
    "table", ["whatsmeow_lid_map", "whatsmeow_device", "whatsmeow_message_secrets"]
)
async def test_a_file_with_ratchets_that_lacks_another_table_is_damaged_and_proves_nothing(
    books: SessionBooks, path: Path, table: str
) -> None:
    file, secret = paired(path), os.urandom(32)
    file.turn_ratchet(f"{LID}_1:0")
    file.write_secret(f"{LID}@lid", "3EB0AA", secret)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"ALTER TABLE {table} RENAME TO gone")

    with pytest.raises(SessionDamaged, match=table):
        await books.settle(path, [Unsettled(1, f"{LID}@lid", secret, None)])


async def test_a_file_with_ratchets_and_no_devices_is_damaged_not_unpaired(
    books: SessionBooks, path: Path
) -> None:
    paired(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("ALTER TABLE whatsmeow_device RENAME TO gone")

    with pytest.raises(SessionDamaged, match="whatsmeow_device"):
        await books.device(path)


@pytest.mark.skipif(sys.platform != "linux", reason="only /proc tells which files are open")
async def test_files_stay_open_but_only_so_many(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.sqlite" for number in range(5)]
    for path in paths:
        paired(path).turn_ratchet(f"{LID}_1:0")
    ratchets = Ratchets(most=2)

    first = [ratchets.sessions_hash(path, LID) for path in paths]
    again = [ratchets.sessions_hash(path, LID) for path in paths]

    assert first == again
    assert open_in(tmp_path) == {"3.sqlite", "4.sqlite"}
    ratchets.close()
    assert open_in(tmp_path) == set()


def open_in(folder: Path) -> set[str]:
    """Which databases of *folder* this process has open."""
    files = [fd.readlink() for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink()]
    return {file.name for file in files if file.parent == folder and file.suffix == ".sqlite"}


def gone(path: Path) -> None:
    """As when a company's pairing is taken back."""
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


def tear_header(path: Path) -> None:
    write(path, b"no database " * 100)


def tear_page(path: Path) -> None:
    data = bytearray(content(path))
    data[4096:] = os.urandom(len(data) - 4096)
    write(path, bytes(data))


def tear_far_page(path: Path) -> None:
    """The device is still there; what would be missed is met only when a customer writes."""
    write(path, content(path)[:-4096] + os.urandom(4096))


def cut(path: Path) -> None:
    write(path, content(path)[: len(content(path)) // 2])


@pytest.mark.parametrize("tear", [tear_header, tear_page, tear_far_page, cut])
async def test_a_damaged_file_is_told_and_the_next_question_is_answered(
    books: SessionBooks, path: Path, tear: Callable[[Path], None]
) -> None:
    file = SessionFile(path)
    file.pair()
    for number in range(200):
        file.turn_ratchet(f"{number}_1:0")
    tear(path)

    with pytest.raises(SessionDamaged, match=re.escape(path.name)):
        await books.device(path)
    write(path, b"")

    assert await books.device(path) is None


async def test_a_damaged_file_costs_no_other_question_its_answer(
    books: SessionBooks, path: Path, tmp_path: Path
) -> None:
    tear_header(path)
    SessionFile(tmp_path / "other.sqlite").pair("521")

    damaged, device = await asyncio.gather(
        books.sessions_hash(path, "9@lid"),
        books.device(tmp_path / "other.sqlite"),
        return_exceptions=True,
    )

    assert isinstance(damaged, SessionDamaged)
    assert isinstance(device, dict)


async def test_a_file_that_cannot_be_read_now_is_not_taken_for_damaged(path: Path) -> None:
    SessionFile(path).pair()
    books = SessionBooks(limit=2.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode=DELETE")
        writer.execute("BEGIN EXCLUSIVE")

        with pytest.raises(RetryLater):
            await books.device(path)
    await books.close()


async def test_a_file_that_cannot_be_opened_harms_no_other_ones_question(
    books: SessionBooks, path: Path, tmp_path: Path
) -> None:
    """Its name is longer than SQLite takes: as if another user had made it, but for root too."""
    SessionFile(path).pair("521")
    folder = tmp_path.joinpath(*["x" * 100] * 6)
    folder.mkdir(parents=True)
    (folder / "closed.sqlite").touch()

    closed, device = await asyncio.gather(
        books.device(folder / "closed.sqlite"), books.device(path), return_exceptions=True
    )

    assert isinstance(closed, RetryLater)
    assert "unable to open" in str(closed)
    assert isinstance(device, dict)


async def test_a_machine_that_begins_no_process_is_asked_again(tmp_path: Path) -> None:
    """As while the program is being upgraded, or where there are too many processes."""
    books = SessionBooks(program=str(tmp_path / "gone"))

    with pytest.raises(RetryLater, match="No such file"):
        await books.device(tmp_path / "any.sqlite")


async def test_the_process_is_started_again_when_it_died(books: SessionBooks, path: Path) -> None:
    SessionFile(path).pair("521")
    await books.device(path)
    assert books._helper is not None
    books._helper.kill()
    await books._helper.process.wait()

    assert (await books.device(path) or {})["jid"] == "521:1@s.whatsapp.net"


async def test_an_abandoned_question_never_answers_the_next_one(
    books: SessionBooks, path: Path
) -> None:
    SessionFile(path).pair("521")
    asking = asyncio.ensure_future(books.sessions_hash(path, "9@lid"))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)

    assert isinstance(await books.device(path), dict)


async def test_questions_in_one_line_each_get_their_own_answer(
    books: SessionBooks, tmp_path: Path
) -> None:
    numbers = [f"52{number}" for number in range(20)]
    for number in numbers:
        SessionFile(tmp_path / f"{number}.sqlite").pair(number)

    devices = await asyncio.gather(*(books.device(tmp_path / f"{one}.sqlite") for one in numbers))

    assert [device and device["jid"].partition(":")[0] for device in devices] == numbers


async def test_a_question_that_waits_when_the_process_dies_is_told_to_come_again(
    books: SessionBooks, path: Path
) -> None:
    SessionFile(path).pair("521")
    await books.device(path)
    assert books._helper is not None
    os.kill(books._helper.process.pid, signal.SIGSTOP)
    asking = asyncio.ensure_future(books.device(path))
    await asyncio.sleep(0.05)
    books._helper.kill()

    with pytest.raises(RetryLater, match="has ended"):
        await asking


async def test_closing_leaves_no_process(path: Path) -> None:
    books = SessionBooks()
    await books.device(path)
    SessionFile(path)
    await books.device(path)
    helper = books._helper
    await books.close()

    assert helper is not None
    assert helper.process.returncode == 0


async def test_a_process_that_hangs_holds_up_no_stop(path: Path) -> None:
    SessionFile(path).pair()
    books = SessionBooks()
    await books.device(path)
    assert books._helper is not None
    process = books._helper.process
    process.send_signal(signal.SIGSTOP)

    await asyncio.wait_for(books.close(), 5)

    assert process.returncode == -signal.SIGKILL
