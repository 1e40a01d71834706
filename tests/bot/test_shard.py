"""One process a seat, and an identity that outlives it."""

import fcntl
import multiprocessing
import sys
from pathlib import Path
from threading import Timer

import pytest

from bot.shard import (
    announced,
    announcements,
    daemon_runs,
    hold_shard,
    listen_of,
    running_shards,
)
from models.errors import StartupRefused, Unavailable


def test_a_shard_keeps_its_host_id(tmp_path: Path) -> None:
    with hold_shard(tmp_path / "state", 0) as first:
        pass
    with hold_shard(tmp_path / "state", 0) as second:
        pass

    assert first == second


def test_two_shards_are_two_hosts(tmp_path: Path) -> None:
    with hold_shard(tmp_path, 0) as first, hold_shard(tmp_path, 1) as second:
        assert first != second


def test_a_second_daemon_on_the_same_seat_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with hold_shard(tmp_path, 0), pytest.raises(Unavailable, match="shard 0 runs here already"):
        hold_shard(tmp_path, 0).__enter__()


def test_a_torn_host_id_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "shard-0.id").write_text("not a uuid")

    with hold_shard(tmp_path, 0) as first:
        pass
    with hold_shard(tmp_path, 0) as second:
        assert first == second


def test_a_daemon_is_seen_only_while_it_lives(tmp_path: Path) -> None:
    before = daemon_runs(tmp_path)
    with hold_shard(tmp_path, 0):
        during = daemon_runs(tmp_path)

    assert (before, during, daemon_runs(tmp_path)) == (False, True, False)


def _die_on_the_seat(folder: Path) -> None:
    hold_shard(folder, 0).__enter__()


def test_the_seat_of_a_dead_process_is_free(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=_die_on_the_seat, args=(tmp_path,)
    )
    process.start()
    process.join(20)
    process.close()

    with hold_shard(tmp_path, 0):
        assert daemon_runs(tmp_path)


def test_each_shard_announces_its_address_while_it_runs(tmp_path: Path) -> None:
    with announced(tmp_path, 0, "127.0.0.1:1234"), announced(tmp_path, 3, "127.0.0.1:1237"):
        assert announcements(tmp_path) == {0: "127.0.0.1:1234", 3: "127.0.0.1:1237"}

    assert announcements(tmp_path) == {}


def test_whoever_takes_a_seat_clears_where_a_killed_one_answered(tmp_path: Path) -> None:
    (tmp_path / "shard-0.json").write_text('{"listen": "127.0.0.1:1234"}')

    with hold_shard(tmp_path, 0):
        assert announcements(tmp_path) == {}


def test_a_state_directory_that_cannot_be_looked_into_is_not_taken_for_an_empty_one(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "state"
    assert (running_shards(folder), announcements(folder)) == (set(), {})
    folder.touch()

    for look in (running_shards, announcements):
        with pytest.raises(NotADirectoryError):
            look(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a device that is full")
def test_a_full_disk_is_told_with_its_place(tmp_path: Path) -> None:
    for name in ("shard-0.new", "shard-1.tmp"):
        (tmp_path / name).symlink_to("/dev/full")

    with pytest.raises(OSError, match=r"No space left.+shard-0\.new"):
        announced(tmp_path, 0, "127.0.0.1:1234").__enter__()
    with pytest.raises(OSError, match=r"No space left.+shard-1\.tmp"):
        hold_shard(tmp_path, 1).__enter__()


@pytest.mark.parametrize("torn", [b"", b"[]", b'{"pid": 1}', b"\xff"])
def test_a_torn_announcement_is_one_without_an_address(tmp_path: Path, torn: bytes) -> None:
    (tmp_path / "shard-1.json").write_bytes(torn)

    assert announcements(tmp_path) == {1: ""}


def test_the_shards_that_run_are_known_by_number(tmp_path: Path) -> None:
    with hold_shard(tmp_path, 0), hold_shard(tmp_path, 12):
        assert running_shards(tmp_path) == {0, 12}

    assert running_shards(tmp_path) == set()


def test_whoever_only_looks_at_a_seat_keeps_nobody_from_it(tmp_path: Path) -> None:
    with hold_shard(tmp_path, 0):
        pass
    with (tmp_path / "shard-0.lock").open("a+") as looks:
        fcntl.flock(looks, fcntl.LOCK_SH)
        Timer(0.05, looks.close).start()

        with hold_shard(tmp_path, 0):
            assert looks.closed


@pytest.mark.parametrize(
    ("listen", "shard", "place"),
    [
        ("127.0.0.1:8710", 0, "127.0.0.1:8710"),
        ("127.0.0.1:8710", 3, "127.0.0.1:8713"),
        ("[::1]:8710", 1, "[::1]:8711"),
        ("localhost:0", 2, "localhost:0"),
    ],
)
def test_shards_of_one_configuration_have_ports_of_their_own(
    listen: str, shard: int, place: str
) -> None:
    assert listen_of(listen, shard) == place


def test_a_port_that_a_shard_cannot_have_is_refused_in_one_sentence() -> None:
    with pytest.raises(StartupRefused, match="port 65535 plus shard 1 is above 65535"):
        listen_of("127.0.0.1:65535", 1)


def test_a_port_that_is_too_high_is_told_by_its_own_key() -> None:
    with pytest.raises(StartupRefused, match=r"web\.public_listen: port 65535 plus shard 1"):
        listen_of("127.0.0.1:65535", 1, key="web.public_listen")
