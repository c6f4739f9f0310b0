"""What a person sees while a run works: one line per step, with its duration."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


class Progress:
    """Writes progress lines; on a terminal the running step is shown and then overwritten by its result."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out if out is not None else sys.stderr
        self._terminal = self._out.isatty()

    def line(self, text: str) -> None:
        """One line, at once."""
        print(text, file=self._out, flush=True)

    @contextmanager
    def step(self, stage: str, what: str) -> Iterator["StepNote"]:
        """Times the block and writes one line with its result when it succeeds."""
        if self._terminal:
            print(f"{stage:<10} {what} ...", end="", file=self._out, flush=True)
        started, note = time.monotonic(), StepNote()
        try:
            yield note
        except BaseException:
            if self._terminal:
                print(file=self._out)
            raise
        seconds = time.monotonic() - started
        detail = f": {note.text}" if note.text else ""
        self.line(("\r\033[K" if self._terminal else "") + f"{stage:<10} {what}{detail} ({seconds:.1f} s)")


class StepNote:
    """What a step wants said of itself when it is done."""

    text = ""

    def rows(self, count: int, what: str = "rows") -> None:
        """Says how many."""
        self.text = f"{count:,} {what}"
