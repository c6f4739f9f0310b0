"""Keys of masks: whose tokens can be joined, and what happens when a secret is not the one that it was."""

import pytest
from kveil.anonymize.masking.keys import current_use, masks_of
from kveil.errors import ContractError, SettingsError
from kveil.settings import Policy

from tests.builders import shop

ONE, TWO = "a" * 32, "b" * 32
TOKEN = {"technique": "pseudonym", "linkable": True, "reason": "a test"}


@pytest.fixture(autouse=True)
def secrets(monkeypatch):
    monkeypatch.setenv("MASK_1", ONE)
    monkeypatch.setenv("MASK_2", TWO)


def policy(*versions, **changes):
    keys = {version: f"secret://env/MASK_{version}" for version in versions or (1,)}
    changes = {"anonymize__mask": {"account": TOKEN}, "anonymize__mask_keys": keys, **changes}
    return Policy.model_validate(shop(**changes))


def shown(asked, first="r1", column="account"):
    """What one value becomes in a release of the policy."""
    return masks_of(asked, current_use(asked, first)).of_texts(column)(["DE89370400440532013000"])[0]


def scoped(scope, **more):
    return {"anonymize__mask": {"account": {**TOKEN, "scope": scope, **more}}}


def test_no_two_releases_purposes_or_policies_can_be_joined_unless_the_scope_says_so():
    others = [
        (policy(), "r2"),
        (policy(name="other"), "r1"),
        (policy(purpose="marketing"), "r1"),
        (policy(2), "r1"),
        (policy(**scoped("purpose")), "r1"),
        (policy(**scoped("shared")), "r1"),
        (policy(**scoped("purpose"), purpose="marketing"), "r1"),
    ]
    found = [shown(policy()), *(shown(*other) for other in others)]
    assert len(set(found)) == len(found)
    assert shown(policy(**scoped("purpose"))) == shown(policy(**scoped("purpose"), name="other"), "r2")
    assert shown(policy(**scoped("shared"))) == shown(policy(**scoped("shared"), purpose="marketing", name="other"), "r2")


def test_columns_of_one_domain_can_be_joined_and_others_cannot():
    three = {"account": {**TOKEN, "domain": "iban"}, "payee": {**TOKEN, "domain": "iban"}, "phone": TOKEN}
    asked = policy(anonymize__mask=three)
    assert shown(asked, column="account") == shown(asked, column="payee") != shown(asked, column="phone")


def test_the_highest_version_is_the_current_one_and_an_older_release_keeps_its_own():
    older = current_use(policy(1), "r1")
    both = policy(1, 2)
    assert current_use(both, "r1").version == 2
    assert masks_of(both, older).keys == masks_of(policy(1), older).keys != masks_of(both, current_use(both, "r1")).keys


def test_another_secret_under_the_same_version_is_noticed(monkeypatch):
    use = current_use(policy(1), "r1")
    monkeypatch.setenv("MASK_1", TWO)
    with pytest.raises(ContractError, match=r"anonymize\.mask_keys\.1: secret://env/MASK_1 holds another secret") as error:
        masks_of(policy(1), use)
    assert TWO not in str(error.value) and ONE not in str(error.value)


def test_a_version_that_is_still_needed_or_a_secret_that_is_not_there_is_one_sentence(monkeypatch):
    use = current_use(policy(1), "r1")
    with pytest.raises(ContractError, match="masked with version 1, which the policy no longer names"):
        masks_of(policy(2), use)
    monkeypatch.setenv("MASK_2", "short")
    with pytest.raises(SettingsError, match=r"anonymize\.mask_keys\.2: secret://env/MASK_2 holds 5 bytes; at least 32"):
        current_use(policy(1, 2), "r1")
    monkeypatch.delenv("MASK_2")
    with pytest.raises(SettingsError, match=r"anonymize\.mask_keys\.2: .* is not set"):
        current_use(policy(1, 2), "r1")


def test_masks_without_a_key_ask_for_none():
    asked = policy(anonymize__mask={"account": {"technique": "redact", "reason": "a test"}}, anonymize__mask_keys={})
    assert current_use(asked, "r1") is None
    assert not masks_of(asked, None).keys
