"""DER (X.690), as much of it as keystores need: writing, and taking certificates and keys apart."""

INTEGER, BITS, OCTETS, OID, UTF16 = 0x02, 0x03, 0x04, 0x06, 0x1E
SEQUENCE, SET = 0x30, 0x31
NULL = b"\x05\x00"  # all of the element


def tlv(tag, *parts):
    """One element: its tag (int), the length, and `parts` (bytes) joined."""
    content = b"".join(parts)
    length = len(content)
    if length < 128:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 128 | size)) + length.to_bytes(size, "big") + content


def sequence(*parts):
    return tlv(SEQUENCE, *parts)


def integer(number):
    """An INTEGER that is not negative; its highest bit is the sign."""
    return tlv(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def oid(dotted):
    """An OBJECT IDENTIFIER from its dotted form (str)."""
    first, second, *others = map(int, dotted.split("."))
    encoded = bytearray()
    for number in (first * 40 + second, *others):
        groups = -(-number.bit_length() // 7) or 1
        for group in range(groups - 1, -1, -1):
            encoded.append((128 if group else 0) | number >> 7 * group & 127)
    return tlv(OID, bytes(encoded))


def algorithm(dotted, parameters=NULL):
    """An AlgorithmIdentifier; its parameters are DER."""
    return sequence(oid(dotted), parameters)


def read(data, position=0):
    """The element at `position`: (tag, content, where it ends). Raises ValueError."""
    try:
        tag, length = data[position], data[position + 1]
        start = position + 2
        if length >= 128:
            start += length & 127
            length = int.from_bytes(data[position + 2 : start], "big")
    except IndexError:
        raise ValueError("cut off") from None
    # An indefinite length (128) is none of DER; neither is a tag that takes several bytes.
    if tag & 31 == 31 or data[position + 1] in (128, 255) or start + length > len(data):
        raise ValueError("not DER")
    return tag, data[start : start + length], start + length


def whole(data, tag):
    """The content of the one element that `data` is, which must have `tag`. Raises ValueError."""
    found, content, end = read(data)
    if found != tag or end != len(data):
        raise ValueError("not what it should be")
    return content


def elements(content):
    """The elements of a constructed one, as (tag, content, the element as it is)."""
    found = []
    position = 0
    while position < len(content):
        tag, inside, end = read(content, position)
        found.append((tag, inside, content[position:end]))
        position = end
    return found
