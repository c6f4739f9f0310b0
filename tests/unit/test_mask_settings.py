"""Masks in a policy: what can be said, what is refused with its reason, and what no hash of a policy depends on."""

import pytest
import yaml
from kveil.anonymize.identity import guarantee_id
from kveil.errors import SettingsError
from kveil.settings import Policy, load
from pydantic import ValidationError

from tests.builders import changed, shop

KEYS = {1: "secret://env/MASK_KEY"}
TOKEN = {"technique": "pseudonym", "linkable": True, "reason": "fraud rings share accounts"}
MASKED = shop(
    anonymize__mask={"account": TOKEN, "phone": {"technique": "redact", "reason": "shows that one is known"}},
    anonymize__mask_keys=KEYS,
    sources__sales__columns={**shop()["sources"]["sales"]["columns"], "account": "string", "phone": "string"},
)


def refusal(tmp_path, **changes) -> str:
    path = tmp_path / "policy.yml"
    path.write_text(yaml.safe_dump(changed(MASKED, **changes)))
    with pytest.raises(SettingsError) as error:
        load(path)
    return str(error.value)


def test_a_masked_policy_is_sound_and_masked_columns_have_a_role_of_their_own(tmp_path):
    path = tmp_path / "policy.yml"
    path.write_text(yaml.safe_dump(MASKED))
    assert load(path).anonymize.role_columns.count("account") == 1
    assert "each column has one role" in refusal(tmp_path, anonymize__insensitive={"account": "x", "reduced": "the label"})


@pytest.mark.parametrize(
    ("mask", "told"),
    [
        ({"technique": "sha256", "reason": "r"}, "reversed by hashing every possible number"),
        ({"technique": "truncated_hash", "reason": "r"}, "reversed by hashing every possible number"),
        ({"technique": "tokenise", "reason": "r"}, "names no known one; allowed: redact, partial"),
        ({"reason": "r"}, "names its technique"),
        ({"technique": "redact"}, "reason: is missing"),
        ({**TOKEN, "linkable": False}, "say linkable: true if that is wanted"),
        ({**TOKEN, "length": 8}, "length: is no known key"),
        ({**TOKEN, "key": "hunter2"}, "key: is no known key"),
        ({"technique": "partial", "reason": "r"}, "keeps either characters"),
        ({"technique": "partial", "keep": "domain", "keep_last": 4, "reason": "r"}, "keeps either characters"),
        ({**TOKEN, "technique": "encrypt", "format": "iban", "keep_last": 4}, "remove keep_first, keep_last"),
        ({**TOKEN, "technique": "encrypt", "format": "card", "keep_last": 4}, "cannot be kept"),
        ({**TOKEN, "technique": "date_shift", "days": 0}, "greater than or equal to 1"),
        ({"technique": "bin", "edges": [3, 3], "reason": "r"}, "edges go up"),
        ({"technique": "top_bottom", "reason": "r"}, "public bounds, not extremes of the data"),
        ({"technique": "top_bottom", "lower": 5, "upper": 5, "reason": "r"}, "lower must be below upper"),
        ({"technique": "round", "to": 0, "reason": "r"}, "greater than 0"),
        ({"technique": "scrub", "reason": "r"}, "linkable: is missing"),
        ({"technique": "swap"}, "reason: is missing"),
    ],
)
def test_what_is_refused_and_why(tmp_path, mask, told):
    said = refusal(tmp_path, anonymize__mask={"account": mask})
    assert told in said
    assert "anonymize.mask.account" in said
    assert "hunter2" not in said


def test_keys_and_the_masks_that_need_them_come_together(tmp_path):
    assert "mask needs mask_keys for account" in refusal(tmp_path, anonymize__mask_keys=None)
    redacted = {"phone": {"technique": "redact", "reason": "r"}}
    assert "no column of mask needs a key" in refusal(tmp_path, anonymize__mask=redacted)
    said = refusal(tmp_path, anonymize__mask_keys={1: "hunter2-is-a-secret"})
    assert "must be a reference" in said and "hunter2" not in said
    two = {"account": {**TOKEN, "domain": "party"}, "phone": {**TOKEN, "domain": "party", "scope": "shared"}}
    assert "columns of domain party ask for different" in refusal(tmp_path, anonymize__mask=two)


def test_a_masked_column_that_is_not_there_or_is_the_person_is_refused(tmp_path):
    assert "no column 'nothing'" in refusal(tmp_path, anonymize__mask={"nothing": TOKEN})
    shown = {"customer": {**TOKEN, "technique": "encrypt", "format": "digits"}}
    assert "privacy unit and is never released" in refusal(tmp_path, anonymize__mask=shown)
    path = tmp_path / "policy.yml"
    path.write_text(yaml.safe_dump(changed(MASKED, anonymize__mask={"customer": TOKEN})))
    assert load(path).anonymize.mask["customer"].technique == "pseudonym"


def test_models_do_not_learn_from_masked_columns(tmp_path):
    assert "no usable column 'account'" in refusal(tmp_path, train__features=["age", "account"])


def test_a_release_is_known_by_its_masks_and_not_by_the_version_of_their_key():
    def promised(document):
        return guarantee_id(Policy.model_validate(document))

    more = {**KEYS, 2: "secret://env/MASK_KEY_2"}
    assert promised(changed(MASKED, anonymize__mask_keys=more)) == promised(MASKED)
    shared = {**MASKED["anonymize"]["mask"], "account": {**TOKEN, "scope": "shared"}}
    assert promised(changed(MASKED, anonymize__mask=shared)) != promised(MASKED) != promised(shop())


def test_a_release_without_masks_has_the_id_that_it_had_before_there_were_any():
    assert guarantee_id(Policy.model_validate(shop())) == "04751a17464eca99"


def test_an_exception_shows_nothing_of_a_wrong_key():
    with pytest.raises(ValidationError) as error:
        Policy.model_validate(changed(MASKED, anonymize__mask_keys={1: "hunter2"}))
    assert "hunter2" not in str(error.value)


def test_the_word_null_says_that_nothing_is_shown_however_yaml_reads_it(tmp_path):
    said = "{technique: encrypt, format: iban, linkable: true, reason: r, unfit: null}"
    path = tmp_path / "policy.yml"
    path.write_text(yaml.safe_dump(changed(MASKED, anonymize__mask__account=yaml.safe_load(said))))
    assert load(path).anonymize.mask["account"].unfit == "null"
