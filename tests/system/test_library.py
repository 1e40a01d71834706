"""Without a fitting WhatsApp library no session is hosted, and everything else goes on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import make_company
from tests.system.conftest import pair
from tests.system.process import REPOSITORY, Home, running

COMPANY = "panaderia"


def of_another_version(folder: Path) -> None:
    info = folder / "neonize-0.4.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: neonize\nVersion: 0.4.3\n")


def without_its_binary(folder: Path) -> None:
    (folder / "neonize").mkdir()
    (folder / "neonize" / "__init__.py").touch()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (of_another_version, "neonize is 0.4.3, this LYROX needs 0.5.2"),
        (without_its_binary, "neonize has no library for this machine"),
    ],
)
async def test_a_library_that_does_not_fit_is_a_state_and_the_daemon_goes_on(
    tmp_path: Path,
    store_urls: dict[str, str],
    database: str,
    spoil: Callable[[Path], None],
    told: str,
) -> None:
    shadow = tmp_path / "shadow"
    shadow.mkdir()
    spoil(shadow)
    home = Home(tmp_path / "home", stores=store_urls)
    pair(home, await make_company(database, slug=COMPANY))

    async with running(home, env={"PYTHONPATH": f"{shadow}:{REPOSITORY}"}) as daemon:
        await daemon.ready()
        await daemon.until("The WhatsApp library is missing or does not work")
        status = (await home.lyrox("status", "--json")).json()
        said = await home.lyrox("chat", COMPANY, "--as", "ana", "--once", "¿cuánto cuesta?")

    (company,) = status["companies"]
    assert status["ready"]
    assert (company["state"], company["reason"]) == ("disconnected", "library_missing")
    assert told in company["sentence"]
    assert "make .venv" in company["sentence"]
    assert (said.code, "98.00" in said.out) == (0, True)
