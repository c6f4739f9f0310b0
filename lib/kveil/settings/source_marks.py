"""Where a policy's people come from, as hashes: the same for policies over the same people, whatever they are called."""

import hashlib
import json
import os
import re
from urllib.parse import urlsplit

from kveil.settings.policy import Policy
from kveil.settings.sources import Source

_S3 = re.compile(r"^s3[an]?$")


def source_marks(policy: Policy) -> dict[str, str]:
    """A hash of place and person column for each source that names the people; no value of the data, no path in plain words.

    It depends neither on the order of sources nor on their names, nor on how the place is written. A registry of consents
    says who agreed and not whose rows these are: it does not count.
    """
    return {
        name: _hash([*_place(source), policy.person])
        for name, source in policy.sources.items()
        if policy.person in source.columns and name != policy.consent.registry
    }


def _place(source: Source) -> list[str]:
    if source.jdbc is not None:
        address = re.split(r"[?;]", source.uri, maxsplit=1)[0]
        return [address.rstrip("/").lower(), " ".join(source.jdbc.relation.split())]
    if source.uri.startswith("package://"):
        return [source.uri.rstrip("/")]
    parts = urlsplit(source.uri)
    if "://" in source.uri and parts.scheme != "file":
        scheme = "s3" if _S3.match(parts.scheme) else parts.scheme
        return [f"{scheme}://{parts.netloc.lower()}{_one_way(parts.path)}"]
    path = parts.path if parts.scheme == "file" else source.uri
    if source.format == "delta" and "/" not in path and not os.path.exists(path):
        return [path.lower()]  # the name of a table
    return [os.path.realpath(path)]


def _one_way(path: str) -> str:
    """A path without doubled and closing slashes."""
    return re.sub(r"/+", "/", path).rstrip("/")


def _hash(what: list[str]) -> str:
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:32]
