"""A data root whose PostgreSQL is made already, because making it takes longest."""

import shutil
from pathlib import Path

import pytest

from bot.embedded import POSTGRES, services


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a short name: the sockets stand in it, where pytest clears them away."""
    return tmp_path_factory.mktemp("e")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PostgreSQL made once, because that takes longest."""
    made = tmp_path_factory.mktemp("m")
    with services(made, [POSTGRES], fast=True):
        pass
    return made / POSTGRES


@pytest.fixture
def root(tmp_path: Path, cluster: Path) -> Path:
    """A root whose PostgreSQL is made already."""
    shutil.copytree(cluster, tmp_path / POSTGRES)
    return tmp_path
