"""What is typed at a terminal, and how that ends."""

import asyncio
import io
import os
import sys

import pytest

from bot.terminal import typed


class LostTerminal(io.RawIOBase):
    """One that was hung up."""

    def readable(self) -> bool:
        return True

    def readinto(self, _: object) -> int:
        raise OSError(5, "Input/output error")


async def lines() -> list[str]:
    async with asyncio.timeout(5):
        return [line async for line in typed()]


async def test_a_chat_without_any_input_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)

    assert await lines() == []


async def test_a_chat_whose_terminal_is_lost_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(LostTerminal())))

    assert await lines() == []


async def test_each_line_is_said_even_one_that_is_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = os.pipe()
    os.write(there, b"hola\ncaf\xe9\n")
    os.close(there)
    with os.fdopen(here, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)

        assert await lines() == ["hola\n", "caf\ufffd\n"]
