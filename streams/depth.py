"""How deeply a JSON text is nested, without parsing it.

A parser's own guard is the interpreter's recursion limit, less what the caller's stack has used:
the same record could pass in one process and fail in the next. So depth has its own limit, far
below that one, and it is checked before parsing, whatever the text is.
"""

from itertools import accumulate
from typing import Final

_OTHER_BYTES: Final = bytes(byte for byte in range(256) if byte not in b'"[]{}')
_STEP: Final = {0x5B: 1, 0x7B: 1, 0x5D: -1, 0x7D: -1}
_CHUNK_BYTES: Final = 1 << 12


def deeper_than(value: bytes, levels: int) -> bool:
    """Say whether arrays and objects lie in each other more than `levels` deep.

    Of bytes that are not JSON the answer means nothing, but it too takes time linear in their
    length: at most some 50 ms for a mebibyte of brackets.
    """
    if len(value) <= 2 * levels or value.count(b"{") + value.count(b"[") <= levels:
        return False
    brackets = _outside_strings(value)
    depth = 0
    for start in range(0, len(brackets), _CHUNK_BYTES):
        steps = map(_STEP.__getitem__, brackets[start : start + _CHUNK_BYTES])
        depths = list(accumulate(steps, initial=depth))
        if max(depths) > levels:
            return True
        depth = depths[-1]
    return False


def _outside_strings(value: bytes) -> bytes:
    """Keep the brackets that do not stand in strings."""
    unescaped = value.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Leaving out neighbouring quotes changes for no other byte whether it is in a string.
    kept = unescaped.translate(None, _OTHER_BYTES).replace(b'""', b"")
    return b"".join(kept.split(b'"')[::2])
