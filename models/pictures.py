"""Where a product's picture may be: an https address, or the absolute path of a file."""

from pathlib import PurePosixPath
from urllib.parse import urlsplit

from models.entries import line, link
from models.errors import BadInput

LONGEST = 1_000
LONGEST_LABEL = 63
"""Of a host's name between two dots (RFC 1035, 2.3.4)."""


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
    address = link(field, place, longest=LONGEST)
    host = urlsplit(address).hostname or ""
    if not all(_is_label(label) for label in host.removesuffix(".").split(".")):
        raise BadInput(f"{field}: {host[:80]!r} cannot be a host; write the address once more")
    return address


def is_file(place: str) -> bool:
    """Whether *place* is a file of this machine's, rather than an address."""
    return PurePosixPath(place).is_absolute()


def _is_label(label: str) -> bool:
    """Whether a part of a host's name can be read; one in punycode stands for some other one."""
    if not label.startswith("xn--"):
        return 0 < len(label) <= LONGEST_LABEL
    try:
        meant = label.removeprefix("xn--").encode("ascii").decode("punycode")
    except UnicodeError:
        return False
    return meant.isprintable() and not meant.isascii() and len(label) <= LONGEST_LABEL
