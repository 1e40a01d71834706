"""Protobuf by field number, for the two Signal messages that have no schema here."""

Fields = dict[int, int | bytes]


def pack(fields: Fields) -> bytes:
    """A protobuf message of numbers and bytes, by field number."""
    parts = []
    for number, value in sorted(fields.items()):
        if isinstance(value, int):
            parts += [_varint(number << 3), _varint(value)]
        else:
            parts += [_varint(number << 3 | 2), _varint(len(value)), value]
    return b"".join(parts)


def unpack(data: bytes) -> Fields:
    """The numbers and bytes of a protobuf message."""
    fields: Fields = {}
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        value, at = _read_varint(data, at)
        if key & 7 == 2:
            fields[key >> 3] = data[at : at + value]
            at += value
        else:
            fields[key >> 3] = value
    return fields


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at


def bytes_of(fields: Fields, number: int) -> bytes:
    """The bytes of a field, which must be there."""
    value = fields[number]
    return value if isinstance(value, bytes) else b""


def number_of(fields: Fields, number: int) -> int:
    """The number of a field, 0 where it is left out."""
    value = fields.get(number, 0)
    return value if isinstance(value, int) else 0
