"""Compiles the kernels' inner loops with numba where it is installed; without it the same loops run, slowly, as Python."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

numba: Any
try:
    import numba
except ImportError:  # a cluster that does not carry it
    numba = None

P = ParamSpec("P")
R = TypeVar("R")

COMPILES = numba is not None
"""Whether kernels run compiled; without numba they take some hundred times as long and give the same result."""


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """The function as machine code, kept beside the byte code between processes where that folder may be written."""
    if numba is None:
        return function
    kept_in, numba.config.CACHE_DIR = numba.config.CACHE_DIR, _FOLDER
    try:
        made: Callable[P, R] = numba.njit(cache=bool(_FOLDER))(function)
        return made
    finally:
        numba.config.CACHE_DIR = kept_in


def _folder() -> str:
    """A folder named after this package's source, since numba would keep a function whose callee in another file changed."""
    here = Path(__file__).parent
    try:
        source = b"".join(path.read_bytes() for path in sorted(here.glob("*.py")))
        folder = here / "__pycache__" / f"machine-{hashlib.sha256(source).hexdigest()[:12]}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "probe").touch()
    except OSError:  # read-only, or inside an archive
        return ""
    return str(folder)


_FOLDER = _folder() if COMPILES else ""
