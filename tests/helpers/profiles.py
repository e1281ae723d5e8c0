"""A colour profile for CMYK, as small as the standard allows."""

import struct

# Lab of the 16 mixtures of full inks, cyan changing slowest and black fastest.
_PAPER = {
    (0, 0, 0): (95, 0, 0), (0, 0, 1): (88, -5, 90), (0, 1, 0): (48, 74, -3), (0, 1, 1): (47, 68, 48),
    (1, 0, 0): (55, -37, -50), (1, 0, 1): (50, -65, 27), (1, 1, 0): (24, 22, -46), (1, 1, 1): (23, 0, 0),
}  # fmt: skip


def cmyk_profile() -> bytes:
    """A device-to-Lab table (ICC.1:2004-10, lut8Type) with the inks of a printing press, and what must go with it."""
    table = b"".join(
        _lab(*(_PAPER[c, m, y] if not k else (_PAPER[c, m, y][0] * 0.15, 0, 0)))
        for c in (0, 1)
        for m in (0, 1)
        for y in (0, 1)
        for k in (0, 1)
    )
    line = bytes(range(256))
    identity = struct.pack(">9i", *(65536 * (row == column) for row in range(3) for column in range(3)))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity + 4 * line + table + 3 * line
    name = b"Test inks"
    desc = b"desc" + bytes(4) + struct.pack(">I", len(name) + 1) + name + bytes(1 + 4 + 4 + 2 + 1 + 67)
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    tags = {b"desc": desc, b"cprt": b"text" + bytes(4) + b"none\0", b"wtpt": white, b"A2B0": lut}
    at, index, data = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for tag, content in tags.items():
        content += bytes(-len(content) % 4)
        index += tag + struct.pack(">2I", at + len(data), len(content))
        data += content
    head = struct.pack(">I4sI4s4s4s", at + len(data), bytes(4), 0x02400000, b"prtr", b"CMYK", b"Lab ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + index + data


def _lab(lightness: float, a: float, b: float) -> bytes:
    return bytes([round(lightness * 2.55), round(a) + 128, round(b) + 128])
