"""What libffx (PyPI, 2.0.1) makes of random strings under FF1: an implementation that shares nothing with kveil's.

Run by `make oracle` in a virtual environment of its own; it writes tests/golden/ff1.json, which is committed. Alphabets are
ranges of characters that have no meaning here; what is written down are the numerals.
"""

import json
import random
from pathlib import Path

from ffx import FF1

GOLDEN = Path(__file__).parents[1] / "golden"
LENGTHS = {2: (20, 112), 10: (6, 32), 16: (5, 28), 26: (5, 22), 36: (4, 20), 62: (4, 18), 256: (3, 14)}
TWEAKS = (0, 1, 4, 7, 8, 9, 15, 16, 20, 40)


def answers() -> list[dict[str, object]]:
    """Key, tweak, radix, string and ciphertext, the shortest and the longest strings of each radix among them."""
    draw, made = random.Random(7), []
    for radix, (shortest, longest) in LENGTHS.items():
        alphabet = "".join(chr(0x4E00 + place) for place in range(radix))
        for length in (shortest, longest, *(draw.randint(shortest, longest) for _ in range(10))):
            key, tweak = draw.randbytes(draw.choice([16, 24, 32])), draw.randbytes(draw.choice(TWEAKS))
            plain = [draw.randrange(radix) for _ in range(length)]
            told = FF1(key, alphabet=alphabet).encrypt("".join(alphabet[place] for place in plain), tweak=tweak)
            found = [alphabet.index(sign) for sign in told]
            made.append({"key": key.hex(), "tweak": tweak.hex(), "radix": radix, "plain": plain, "encrypted": found})
    return made


if __name__ == "__main__":
    rows = ",\n".join(json.dumps(each) for each in answers())
    (GOLDEN / "ff1.json").write_text(f"[\n{rows}\n]\n", encoding="utf-8")
