"""What an argument must look like; ArgumentTypeError tells what is wrong with it."""

import argparse
from collections.abc import Callable

from bot.pairing.phone_numbers import digits_of

LONGEST_SHARD = 9999


def _number(least: float, most: float) -> Callable[[str], float]:
    def number(word: str) -> float:
        try:
            value = float(word)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{word!r} is not from {least:g} to {most:g}")
        return value

    return number


seconds = _number(0, 3600)


def phone(word: str) -> str:
    """The digits of a number that begins with its country code."""
    digits = digits_of(word)
    if digits is None:
        raise argparse.ArgumentTypeError(
            f"{word!r} is not a number with its country code, such as +13055550100"
        )
    return digits


def shard(word: str) -> int:
    """A process's number."""
    if not word.isdecimal() or int(word) > LONGEST_SHARD:
        raise argparse.ArgumentTypeError(f"{word!r} is not from 0 to {LONGEST_SHARD}")
    return int(word)
