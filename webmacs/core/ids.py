"""Public ids: a readable prefix, then 26 characters that sort by creation (ULID: 48 bits time, 80 of chance)."""

import secrets
import time

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_code(letters: int) -> str:
    """A random code that people paste or type: five bits of chance in each letter, groups of four."""
    text = "".join(secrets.choice(ALPHABET) for _ in range(letters)).upper()
    return "-".join(text[start : start + 4] for start in range(0, letters, 4))


def new_id(prefix: str) -> str:
    """A new opaque public id such as `evt_01jd…`."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return f"{prefix}_" + "".join(ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
