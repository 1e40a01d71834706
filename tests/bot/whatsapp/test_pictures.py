"""Pictures that WhatsApp has already are kept ready, but not without end."""

from pathlib import Path

from bot.whatsapp.pictures import Pictures


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
