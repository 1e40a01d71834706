"""One process a seat, and an identity that outlives it."""

import json
import multiprocessing
from pathlib import Path

import pytest

from bot.shard import announced, daemon_runs, hold_shard
from models.errors import Unavailable


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


def test_the_address_is_announced_while_the_daemon_runs(tmp_path: Path) -> None:
    with announced(tmp_path, "127.0.0.1:1234"):
        assert json.loads((tmp_path / "daemon.json").read_text())["listen"] == "127.0.0.1:1234"

    assert not (tmp_path / "daemon.json").exists()
