"""Pictures that WhatsApp has already are kept ready, but not without end."""

from pathlib import Path

import pytest

from bot.whatsapp.pictures import Pictures
from bot.wire import NotSent
from models.errors import RetryLater


async def test_the_last_64_pictures_need_no_second_upload(tmp_path: Path) -> None:
    uploads = 0

    async def upload(_: bytes, _mime: str) -> bytes:
        nonlocal uploads
        uploads += 1
        return b"uploaded"

    places = [tmp_path / f"{number}.png" for number in range(65)]
    pictures = Pictures()
    for place in (*places, places[-64]):
        place.write_bytes(b"\x89PNG\r\n\x1a\n")
        assert await pictures.taken(str(place), upload) == b"uploaded"
    kept = uploads
    await pictures.taken(str(places[0]), upload)

    assert (kept, uploads) == (65, 66)


@pytest.mark.parametrize("place", ["https://xn--caf.com/x.png", "https://xn--/x.png"])
async def test_an_address_that_cannot_be_read_leaves_the_text_alone(place: str) -> None:
    async def upload(_: bytes, _mime: str) -> bytes:
        raise AssertionError("there is nothing to upload")

    assert await Pictures().taken(place, upload) is None


@pytest.mark.parametrize(
    "error", [NotSent(""), RetryLater(""), OSError(), RuntimeError(), KeyError()]
)
async def test_whatever_goes_wrong_with_a_picture_the_text_goes_without_it(
    tmp_path: Path, error: Exception
) -> None:
    place = tmp_path / "plan.png"
    place.write_bytes(b"\x89PNG\r\n\x1a\n")

    async def upload(_: bytes, _mime: str) -> bytes:
        raise error

    assert await Pictures().taken(str(place), upload) is None
