"""What a person enters for a company or a product: checked field by field, or one sentence."""

import re
from decimal import Decimal, InvalidOperation
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from models.errors import BadInput

PLACEHOLDER = re.compile(
    r"\[[^\[\]]*[^\W\d_][^\[\]]*\](?!\()"  # Bracketed text that is not a Markdown link.
    r"|\{\{.*?\}\}|\bplaceholder\b|\blorem ipsum\b",
    re.IGNORECASE | re.DOTALL,
)
HIDDEN_PHONE = re.compile(r"\+?\d[\d ()-]{2,}[x*]{2,}", re.IGNORECASE)
EXAMPLE_HOST = re.compile(r"(^|\.)example(\.(com|org|net))?$|^localhost$", re.IGNORECASE)
EXAMPLE_PATH = re.compile(r"([a-z])\1{2,}", re.IGNORECASE)
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
HIGHEST_PRICE = Decimal("99999999.99")
LONGEST_URL = 2000
FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def text(field: str, value: str, *, longest: int | None = None) -> str:
    """Text that may have many lines, without placeholders."""
    value = value.strip()
    if not value:
        raise BadInput(f"{field}: is empty; write something or leave it out")
    if longest is not None and len(value) > longest:
        raise BadInput(f"{field}: is {len(value)} characters long, at most {longest} fit")
    if CONTROL.search(value) or any("\ud800" <= sign <= "\udfff" for sign in value):
        raise BadInput(f"{field}: holds control characters; remove them")
    if found := PLACEHOLDER.search(value):
        raise BadInput(f"{field}: {found[0][:60]!r} is a placeholder; write the real text")
    if found := HIDDEN_PHONE.search(value):
        raise BadInput(f"{field}: {found[0]!r} is not a whole phone number; write all digits")
    return value


def line(field: str, value: str, *, longest: int) -> str:
    """Text of one line."""
    if "\n" in value.strip() or "\r" in value.strip():
        raise BadInput(f"{field}: must be one line")
    return text(field, value, longest=longest)


def link(field: str, value: str, *, longest: int | None = None) -> str:
    """An http or https link that is not an example."""
    value = line(field, value, longest=longest or 2000)
    try:
        url = urlsplit(value)
        host = url.hostname or ""
        _ = url.port
    except ValueError:
        raise BadInput(f"{field}: {value!r} is not a link") from None
    if url.scheme not in {"http", "https"} or not host or re.search(r"\s", value):
        raise BadInput(f"{field}: {value!r} is not a link; it must start with https://")
    if EXAMPLE_HOST.search(host) or EXAMPLE_PATH.fullmatch(url.path.rpartition("/")[2]):
        raise BadInput(f"{field}: {value!r} is an example; write the real link")
    return value


def price(field: str, value: str) -> Decimal:
    """An amount above zero with at most two decimals."""
    try:
        amount = Decimal(value.strip())
    except InvalidOperation:
        raise BadInput(f"{field}: {value!r} is not an amount; write it like 98.00") from None
    if not amount.is_finite() or not 0 < amount <= HIGHEST_PRICE:
        raise BadInput(f"{field}: must be above 0 and at most {HIGHEST_PRICE}, not {value!r}")
    if amount != amount.quantize(Decimal("0.01")):
        raise BadInput(f"{field}: {value!r} has more than two decimals")
    return amount.quantize(Decimal("0.01"))


def whole(field: str, value: str, *, least: int, most: int) -> int:
    """A whole number within bounds."""
    try:
        number = int(value.strip())
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise BadInput(f"{field}: must be a whole number from {least} to {most}, not {value!r}")
    return number


def seconds(field: str, value: str, *, most: int) -> float:
    """A time in seconds, from 0."""
    try:
        number = Decimal(value.strip())
    except InvalidOperation:
        number = Decimal(-1)
    if not number.is_finite() or not 0 <= number <= most:
        raise BadInput(f"{field}: must be a number of seconds from 0 to {most}, not {value!r}")
    return float(number)


def currency(field: str, value: str) -> str:
    """Three letters, such as USD."""
    code = value.strip().upper()
    if not re.fullmatch(r"[A-Z]{3}", code):
        raise BadInput(f"{field}: {value!r} is not a currency; write three letters like USD")
    return code


def slug(field: str, value: str) -> str:
    """The short name of a company on the command line."""
    if not SLUG.fullmatch(value) or len(value) > 63:
        raise BadInput(
            f"{field}: {value!r} will not do; use at most 63 of a-z, 0-9 and single hyphens"
        )
    return value


def flag(field: str, value: str) -> bool:
    """Yes or no, in the words people use."""
    try:
        return FLAGS[value.strip().lower()]
    except KeyError:
        raise BadInput(f"{field}: {value!r} is neither true nor false") from None


def email(field: str, value: str) -> str:
    """An e-mail address, in lower case."""
    address = line(field, value, longest=255).lower()
    if not EMAIL.fullmatch(address):
        raise BadInput(f"{field}: {address!r} is not an e-mail address")
    return address


def webhook(field: str, value: str) -> str:
    """Where messages for a program are posted: http or https, without name, password, fragment."""
    value = value.strip()
    try:
        url = urlsplit(value)
        host, _ = url.hostname or "", url.port
    except ValueError:
        raise BadInput(f"{field}: {value!r} is not a URL") from None
    if url.scheme not in {"http", "https"} or not host or re.search(r"[\s\x00-\x20\x7f]", value):
        raise BadInput(f"{field}: {value!r} is not a URL such as https://crm.example.com/lyrox")
    if "@" in url.netloc or url.fragment:
        raise BadInput(f"{field}: must hold neither a user name nor a fragment (#…)")
    if len(value) > LONGEST_URL:
        raise BadInput(f"{field}: is {len(value)} characters long, at most {LONGEST_URL} fit")
    return value


def language(field: str, value: str) -> str:
    """A language in which we speak to owners."""
    if value.strip() not in {"es", "en"}:
        raise BadInput(f"{field}: {value!r} is neither es nor en")
    return value.strip()


def time_zone(field: str, value: str) -> str:
    """The name of a time zone, such as America/Caracas."""
    try:
        return ZoneInfo(value.strip()).key
    except (ValueError, KeyError, OSError):
        raise BadInput(
            f"{field}: {value!r} is no time zone; write one such as America/Caracas"
        ) from None
