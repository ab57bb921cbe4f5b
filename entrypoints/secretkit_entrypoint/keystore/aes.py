"""AES-256 in CBC mode (FIPS 197, SP 800-38A): encryption alone, which the standard library lacks.

A block of 16 bytes takes some 50 µs, and an RSA key of 2048 bits has 77. The time it takes depends
on key and content, which nobody is there to measure before the process starts.
"""

from operator import itemgetter


def _double(byte):
    """Times 2 in GF(2⁸), modulo x⁸ + x⁴ + x³ + x + 1."""
    return byte << 1 ^ (0x11B if byte & 128 else 0)


def _box():
    """SubBytes as a table for bytes.translate: the inverse in GF(2⁸), then an affine map."""
    powers = [1]  # of 3, which generates all of GF(2⁸) but 0
    for _ in range(254):
        powers.append(powers[-1] ^ _double(powers[-1]))
    box = bytearray(b"\x63" * 256)
    for exponent, power in enumerate(powers):
        inverse = powers[-exponent]
        mixed = inverse ^ inverse << 1 ^ inverse << 2 ^ inverse << 3 ^ inverse << 4
        box[power] ^= (mixed ^ mixed >> 8) & 255
    return bytes(box)


BOX = _box()
BOX_2 = bytes(map(_double, BOX))
BOX_3 = bytes(two ^ one for two, one in zip(BOX_2, BOX))

# ShiftRows: where byte n of the state comes from. It is a column of 4 bytes after another.
ROWS = [(5 * n) % 16 for n in range(16)]
shifted = itemgetter(*ROWS)
# The same, and then each column turned by 0, 1, 2 and 3 bytes, as MixColumns adds them up.
turned = itemgetter(*(ROWS[n & 12 | (n + turn) & 3] for turn in range(4) for n in range(16)))


def round_keys(key):
    """The 15 round keys (int) of a key of 32 bytes."""
    words = [key[n : n + 4] for n in range(0, 32, 4)]
    constant = 1
    while len(words) < 60:
        word = words[-1]
        if len(words) % 8 == 0:
            word = (word[1:] + word[:1]).translate(BOX)
            word = bytes((word[0] ^ constant,)) + word[1:]
            constant = _double(constant)
        elif len(words) % 8 == 4:
            word = word.translate(BOX)
        words.append(bytes(a ^ b for a, b in zip(words[-8], word)))
    return [int.from_bytes(b"".join(words[n : n + 4]), "big") for n in range(0, 60, 4)]


def encrypt_cbc(key, vector, content):
    """`content` (bytes of any length) with the padding of PKCS #7; `vector` has 16 bytes."""
    first, *middle, last = round_keys(key)
    padding = 16 - len(content) % 16
    content += bytes((padding,)) * padding
    number = int.from_bytes
    state = number(vector, "big")
    blocks = []
    for position in range(0, len(content), 16):
        state ^= number(content[position : position + 16], "big") ^ first
        for round_key in middle:
            mixed = bytes(turned(state.to_bytes(16, "big")))
            state = (
                number(mixed[:16].translate(BOX_2), "big")
                ^ number(mixed[16:32].translate(BOX_3), "big")
                ^ number(mixed[32:48].translate(BOX), "big")
                ^ number(mixed[48:].translate(BOX), "big")
                ^ round_key
            )
        state = number(bytes(shifted(state.to_bytes(16, "big"))).translate(BOX), "big") ^ last
        blocks.append(state.to_bytes(16, "big"))
    return b"".join(blocks)
