"""The SQL of an expression while it is written, part by part; patterns get to see the first characters of a value alone."""

from kveil.settings.expressions.functions import ALLOWED
from kveil.settings.patterns import LONGEST_VALUE

_OPENS, _CLOSES = ("(", "["), (")", "]")


class Written:
    """Parts of SQL in their order; each is a token, or an operand that was cut."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def __len__(self) -> int:
        return len(self._parts)

    @property
    def sql(self) -> str:
        """The whole, one blank between parts, so that no two of them become one."""
        return " ".join(self._parts)

    def add(self, part: str) -> None:
        """Writes one more part."""
        self._parts.append(part)

    def cut_operand(self) -> None:
        """Cuts the operand that was written last: a column, a parenthesis or a call; a `not` after it is none."""
        end = len(self._parts) - (self._parts[-1:] == ["not"])
        self._cut(self._start_of_operand(end), end)

    def cut_first_argument(self, opened: int) -> None:
        """Cuts what stands between the parenthesis at `opened` and its first comma."""
        depth = 0
        for end in range(opened + 1, len(self._parts)):
            depth += (self._parts[end] in _OPENS) - (self._parts[end] in _CLOSES)
            if depth == 0 and self._parts[end] == ",":
                self._cut(opened + 1, end)
                return

    def _cut(self, begin: int, end: int) -> None:
        whole = " ".join(self._parts[begin:end])
        self._parts[begin:end] = [f"substring ( {whole} , 1 , {LONGEST_VALUE} )"]

    def _start_of_operand(self, end: int) -> int:
        depth, place = 0, end
        while place > 0:
            place -= 1
            depth += (self._parts[place] in _CLOSES) - (self._parts[place] in _OPENS)
            if depth == 0 and not self._goes_on_before(place):
                break
        return place

    def _goes_on_before(self, place: int) -> bool:
        """Whether a parenthesis belongs to a function, or a bracket to a value, that stands before it."""
        before = self._parts[place - 1] if place else ""
        if self._parts[place] == "(":
            return before in ALLOWED
        return self._parts[place] == "["
