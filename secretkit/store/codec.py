"""Bytes of the on-disk format: length-prefixed fields and padding to size classes.

Fields are never joined by a delimiter, so no choice of names can make two different contexts
equal. docs/store-format.md says the same for a second implementer.
"""

from __future__ import annotations

from ..errors import StoreTamperedError

SMALLEST_CLASS = 64


def pack(*fields: bytes | str | int) -> bytes:
    """Each field as its length (LEB128) and its bytes: text in UTF-8, numbers big-endian, short.

    Packing is concatenation: pack(a, b) == pack(a) + pack(b).
    """
    parts: list[bytes] = []
    for field in fields:
        if isinstance(field, bytes):
            content = field
        elif isinstance(field, str):
            content = field.encode()
        else:
            content = field.to_bytes((field.bit_length() + 7) // 8, "big")
        length = len(content)
        parts.append(_SHORT[length] if length <= 0x7F else _leb128(length))
        parts.append(content)
    return b"".join(parts)


_SHORT = tuple(bytes((length,)) for length in range(0x80))


def _leb128(length: int) -> bytes:
    out = bytearray()
    while length > 0x7F:
        out.append(length & 0x7F | 0x80)
        length >>= 7
    out.append(length)
    return bytes(out)


def unpack(data: bytes) -> list[bytes]:
    """The fields of `pack`; raises StoreTamperedError if `data` is not what pack makes."""
    fields: list[bytes] = []
    at = 0
    try:
        while at < len(data):
            length = shift = 0
            while True:
                byte = data[at]
                at += 1
                length |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
            if at + length > len(data):
                raise IndexError
            fields.append(data[at : at + length])
            at += length
    except IndexError:
        raise StoreTamperedError("damaged record in the store") from None
    return fields


def number(field: bytes) -> int:
    """The number in a packed field."""
    return int.from_bytes(field, "big")


def size_class(length: int) -> int:
    """The padded size for `length` bytes: 64, then four classes to each doubling (80, 96 …)."""
    if length <= SMALLEST_CLASS:
        return SMALLEST_CLASS
    step = 1 << ((length - 1).bit_length() - 3)
    return -(-length // step) * step


def pad(data: bytes) -> bytes:
    """`data`, the byte 0x80, and zeros up to a size class (ISO/IEC 7816-4)."""
    return data + b"\x80" + bytes(size_class(len(data) + 1) - len(data) - 1)


def unpad(data: bytes) -> bytes:
    """What `pad` was given; raises StoreTamperedError if there is no padding."""
    stripped = data.rstrip(b"\0")
    if not stripped.endswith(b"\x80"):
        raise StoreTamperedError("damaged record in the store")
    return stripped[:-1]
