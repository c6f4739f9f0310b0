"""Files inside installed Python packages, as policies name them: package://PACKAGE/path/inside."""

import re
from importlib.util import find_spec
from pathlib import Path

_PACKAGE = re.compile(r"^package://(\w+)/(.+)$")


def packaged(uri: str) -> Path:
    """The file's place, also where nothing is there; the package is not imported. ValueError for another form or no package."""
    matched = _PACKAGE.match(uri)
    if matched is None or ".." in Path(matched[2]).parts:
        raise ValueError(f"found {uri}; allowed: package://PACKAGE/path/inside/the/package")
    spec = find_spec(matched[1])
    if spec is None or spec.submodule_search_locations is None:
        raise ValueError(f"the Python package {matched[1]!r} is not installed; install it")
    places = [Path(place) / matched[2] for place in spec.submodule_search_locations]
    return next((place for place in places if place.exists()), places[0])
