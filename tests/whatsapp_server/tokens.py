"""The dictionary of binary XML, read out of the installed client itself.

The tables are Go arrays of strings (address, length). In the file the addresses are ELF
relocations, so a table is found through one of its words: the relocation that points at it.
"""

import struct
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_RELA = 4
_RELATIVE = 8  # R_X86_64_RELATIVE: the addend is the address itself.


@dataclass(frozen=True)
class Tokens:
    """One table for single bytes, four for pairs of bytes."""

    single: tuple[str, ...]
    double: tuple[tuple[str, ...], ...]


class _Elf:
    """As much of a 64-bit ELF file as strings behind relocations need."""

    def __init__(self, path: Path) -> None:
        self.data = path.read_bytes()
        at, size, count = (*struct.unpack_from("<Q", self.data, 40), *self._counts())
        rows = [struct.unpack_from("<IIQQQQIIQQ", self.data, at + i * size) for i in range(count)]
        self._sections = [row for row in rows if row[1] != 8]  # NOBITS has no bytes in the file.

    def _counts(self) -> tuple[int, int]:
        size, count = struct.unpack_from("<HH", self.data, 58)
        return size, count

    @cached_property
    def pointers(self) -> dict[int, int]:
        """Where an address stands -> which address it is."""
        tables = [self.data[row[4] : row[4] + row[5]] for row in self._sections if row[1] == _RELA]
        return {
            where: addend
            for table in tables
            for where, info, addend in struct.iter_unpack("<QQq", table)
            if info & 0xFFFFFFFF == _RELATIVE
        }

    @cached_property
    def holders(self) -> dict[int, list[int]]:
        """An address -> everywhere it stands."""
        found: dict[int, list[int]] = {}
        for where, address in self.pointers.items():
            found.setdefault(address, []).append(where)
        return found

    def offset(self, address: int) -> int:
        """An address's place in the file, -1 if it has none."""
        for _, _, _, start, at, size, *_ in self._sections:
            if start and start <= address < start + size:
                return int(at + address - start)
        return -1

    def addresses(self, word: bytes) -> list[int]:
        """Every address at which the bytes of *word* stand."""
        found, at = [], self.data.find(word)
        while at >= 0:
            found += [
                start + at - begin
                for _, _, _, start, begin, size, *_ in self._sections
                if start and begin <= at < begin + size
            ]
            at = self.data.find(word, at + 1)
        return found

    def number(self, address: int) -> int:
        """The 8-byte number at an address."""
        at = self.offset(address)
        return int.from_bytes(self.data[at : at + 8], "little")

    def text(self, where: int) -> str:
        """The Go string whose header stands at *where*."""
        length = self.number(where + 8)
        if not length:
            return ""
        at = self.offset(self.pointers[where])
        return self.data[at : at + length].decode()

    def headers(self, word: str) -> list[int]:
        """Where headers of exactly this string stand."""
        raw = word.encode()
        holders = [where for one in self.addresses(raw) for where in self.holders.get(one, ())]
        return [where for where in holders if self.number(where + 8) == len(raw)]


def read_tokens(library: Path) -> Tokens:
    """The tables of the client in *library*."""
    elf = _Elf(library)
    (second,) = [at for at in elf.headers("xmlstreamstart") if _next_is(elf, at, "xmlstreamend")]
    (first_pair,) = [at for at in elf.headers("read-self") if _next_is(elf, at, "active")]
    single = tuple(elf.text(second - 16 + 16 * i) for i in range(236))
    return Tokens(single, _pairs(elf, first_pair))


def _pairs(elf: _Elf, first: int) -> tuple[tuple[str, ...], ...]:
    """The four tables are slices (address, length, capacity) that stand one after the other."""
    (slices,) = [at for at in elf.holders[first] if at + 72 in elf.pointers]
    tables = []
    for header in range(slices, slices + 4 * 24, 24):
        start, length = elf.pointers[header], elf.number(header + 8)
        tables.append(tuple(elf.text(start + 16 * i) for i in range(length)))
    return tuple(tables)


def _next_is(elf: _Elf, where: int, word: str) -> bool:
    return where + 16 in elf.pointers and elf.text(where + 16) == word
