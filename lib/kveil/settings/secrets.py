"""Secrets by reference: a policy says where a secret is kept, never what it is.

`secret://env/NAME` is an environment variable, `secret://file/PATH` a mounted file whose one trailing newline does not count,
`secret://databricks/SCOPE/KEY` a secret of a Databricks workspace. A reference is resolved where the secret is used, and what
it resolves to is kept nowhere: not in a policy, a table, a log, an error or the description of a plan.
"""

import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError

from kveil.errors import SettingsError

UNSHOWN = "kveil_unshown"
"""The type of a validation problem whose input may be a secret, so that no sentence repeats it."""

FORMS = "secret://env/NAME, secret://file/PATH or secret://databricks/SCOPE/KEY"

_REFERENCE = re.compile(r"^secret://(?:env/[A-Za-z_]\w*|file/.+|databricks/[\w.@-]+/[\w.@-]+)$")
_NAMED_LIKE_ONE = re.compile(r"(?i)passw|passphrase|pwd|secret|token|credential|api_?key|access_?key|private_?key")
_IN_A_URI = (
    re.compile(r"//[^/@\s]*:[^/@\s]*@"),  # scheme://user:password@host
    re.compile(
        r"(?i)^(?:https?|s?ftps?|s3[an]?|gs|jdbc:\w+)://[^/@\s]+@"
    ),  # a token in place of a user; Azure's container@ is none
    re.compile(r":[^/@:\s]+/[^/@\s]+@"),  # jdbc:oracle:thin:user/password@host
    re.compile(
        r"(?i)[?&;](?:user|username|uid|pwd|sig|auth|code|[\w.-]*(?:passw|secret|token|credential|signature)[\w.-]*"
        r"|[\w.-]*(?:access|account|api)[\w.-]*key[\w.-]*)="
    ),
)


def _reference(value: Any) -> str:
    if not isinstance(value, str) or not _REFERENCE.match(value):
        raise unshown(f"must be a reference, never the secret itself; allowed: {FORMS}")
    return value


SecretReference = Annotated[str, BeforeValidator(_reference)]
"""Where a secret is kept: `secret://...`. Anything else is refused without being repeated."""


def _without_credentials(value: str) -> str:
    if holds_credentials(value):
        raise unshown(f"the address holds a user, password or key; take it out and give a reference instead: {FORMS}")
    return value


Address = Annotated[str, AfterValidator(_without_credentials)]
"""Where data lies. One that says who logs in, or with what, is refused without being repeated."""


def unshown(sentence: str) -> PydanticCustomError:
    """A validation problem for an input that may be a secret."""
    return PydanticCustomError(UNSHOWN, "{sentence}", {"sentence": sentence})


def sounds_secret(name: str) -> bool:
    """Whether something of this name is likely to hold a secret: a password, a token, a key."""
    return _NAMED_LIKE_ONE.search(name) is not None


def holds_credentials(uri: str) -> bool:
    """Whether an address says who logs in or with what."""
    return any(pattern.search(uri) for pattern in _IN_A_URI)


def resolved(reference: str, key: str) -> str:
    """The secret behind a reference; SettingsError, naming the policy's `key` and the reference, when it is not there."""
    kind, _, place = reference.removeprefix("secret://").partition("/")
    secret = _RESOLVERS[kind](place, f"{key}: {reference}")
    if not secret:
        raise SettingsError([f"{key}: {reference} is empty; put the secret there"])
    return secret


def _from_environment(name: str, what: str) -> str:
    if name not in os.environ:
        raise SettingsError([f"{what} is not set; set the environment variable {name} for the job"])
    return os.environ[name]


def _from_file(path: str, what: str) -> str:
    # A mounted secret's path is absolute; secret://file/run/x and secret://file//run/x are both /run/x.
    try:
        content = Path("/" + path.lstrip("/")).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise SettingsError([f"{what} cannot be read ({why}); mount the secret there, readable for the job"]) from None
    return content.removesuffix("\n").removesuffix("\r")


def _from_databricks(place: str, what: str) -> str:
    if "DATABRICKS_RUNTIME_VERSION" not in os.environ:
        raise SettingsError([f"{what} can be resolved on Databricks alone; here give secret://env/NAME or secret://file/PATH"])
    from databricks.sdk.runtime import dbutils  # type: ignore[import-not-found,unused-ignore]

    scope, _, key = place.partition("/")
    try:
        return str(dbutils.secrets.get(scope=scope, key=key))
    except Exception:  # whatever the platform raises, its message is not ours to repeat
        raise SettingsError([f"{what} is not there or not yours to read; look at the scope's keys and permissions"]) from None


_RESOLVERS = {"env": _from_environment, "file": _from_file, "databricks": _from_databricks}
