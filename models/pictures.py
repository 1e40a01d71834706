"""Where a product's picture may be: an https address, or the absolute path of a file."""

from pathlib import PurePosixPath

from models.entries import line, link
from models.errors import BadInput

LONGEST = 1_000


def picture(field: str, value: str) -> str:
    """The checked place of a picture. Raises BadInput."""
    place = line(field, value, longest=LONGEST)
    if is_file(place):
        return place
    if not place.startswith("https://"):
        raise BadInput(
            f"{field}: {value!r} is no picture; write an https:// address, or the whole path of"
            " a JPEG or PNG file, such as /srv/plan.jpg"
        )
    return link(field, place, longest=LONGEST)


def is_file(place: str) -> bool:
    """Whether *place* is a file of this machine's, rather than an address."""
    return PurePosixPath(place).is_absolute()
