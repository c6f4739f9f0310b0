"""Keys of masks: which version a release was masked with, and the key of its own that each use of a secret gets."""

from dataclasses import dataclass

from kveil.anonymize.masking.arrow import Masks
from kveil.anonymize.named_secret import named_secret
from kveil.context import Context
from kveil.errors import ContractError
from kveil.privacy.masking.keyed import check_value, subkey
from kveil.settings import Policy
from kveil.settings.mask import KeyedMask
from kveil.settings.mask_checks import keyed
from kveil.tables.schema import RELEASE

MASK_KEY = "kveil.mask_key"
"""The property of a released table that says with which key it was masked."""


@dataclass(frozen=True)
class KeyUse:
    """A key's version and check value, and the release whose id its keys are made for: the first of those that grew together."""

    version: int
    check: str
    first: str

    @property
    def properties(self) -> dict[str, str]:
        """As a property of the released table."""
        return {MASK_KEY: f"{self.version} {self.check} {self.first}"}


def current_use(policy: Policy, first: str) -> KeyUse | None:
    """The policy's current key for a release; None where no mask needs one; SettingsError where it is not there or short."""
    if not keyed(policy.anonymize.mask):
        return None
    version = max(policy.anonymize.mask_keys)
    return KeyUse(version, check_value(secret_of(policy, version)), first)


def use_of_release(ctx: Context) -> KeyUse | None:
    """With what the published table was masked; None where no mask needed a key."""
    told = ctx.store.property_of(ctx.ref(RELEASE), MASK_KEY)
    if told is None:
        return None
    version, check, first = told.split(" ")
    return KeyUse(int(version), check, first)


def secret_of(policy: Policy, version: int) -> bytes:
    """A version's secret; SettingsError where it is not there or short."""
    return named_secret(policy.anonymize.mask_keys[version], f"anonymize.mask_keys.{version}")


def masks_of(policy: Policy, use: KeyUse | None) -> Masks:
    """The policy's masks with their keys; ContractError for a secret that is not the one that was used."""
    roles = policy.anonymize.mask
    if use is None:
        return Masks(roles)
    if use.version not in policy.anonymize.mask_keys:
        raise ContractError(
            f"anonymize.mask_keys: the release was masked with version {use.version}, which the policy no longer names; name it "
            "again until kveil rotate-key has moved the release to another"
        )
    secret = secret_of(policy, use.version)
    if check_value(secret) != use.check:
        raise ContractError(
            f"anonymize.mask_keys.{use.version}: {policy.anonymize.mask_keys[use.version]} holds another secret than the one "
            "that masked the release; put that one back, and give a new secret a new version"
        )
    keys = {name: _key(policy, secret, name, role, use.first) for name, role in keyed(roles).items()}
    return Masks(roles, keys, use.properties)


def require_current(ctx: Context) -> None:
    """ContractError where the published table was masked with another key than the policy's current one."""
    use = use_of_release(ctx) if keyed(ctx.policy.anonymize.mask) else None
    if use is None:
        return
    masks_of(ctx.policy, use)
    current = max(ctx.policy.anonymize.mask_keys)
    if use.version != current:
        raise ContractError(
            f"anonymize.mask_keys: {ctx.ref(RELEASE)} was masked with version {use.version} and the current one is {current}; "
            "run kveil rotate-key, which moves the released table to it without drawing noise again"
        )


def _key(policy: Policy, secret: bytes, name: str, role: KeyedMask, first: str) -> bytes:
    scope = {
        "release": ("release", policy.name, policy.purpose, first),
        "purpose": ("purpose", policy.purpose),
        "shared": ("shared",),
    }
    return subkey(secret, role.technique, role.domain_of(name), scope[role.scope])
