"""The budget ledger without a JVM: its tables are lists here, and what storage can do to a writer is done to it."""

import copy
import json
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.anonymize import ledger
from kveil.anonymize.ledger import book, clock
from kveil.anonymize.ledger.account import Entry, opened
from kveil.anonymize.ledger.audit import lines
from kveil.anonymize.ledger.charge import Charge, Cost, cost_of, request_hash, rounded_up
from kveil.anonymize.ledger.form import account_of, entries_form, plain
from kveil.anonymize.ledger.spending import spent
from kveil.anonymize.ledger.statement import _account_lines, _together
from kveil.anonymize.ledger.storage import Books, Kept
from kveil.anonymize.ledger.verify import problems, unwritten
from kveil.errors import BudgetError
from kveil.settings import Policy
from kveil.settings.budget import Budget, period_of
from pydantic import ValidationError
from pyspark.errors import PySparkException

from tests.builders import shop

START = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=timezone.utc)


def charge(epsilon: int | str = 1, delta=Fraction(), unit="person", what="count") -> Charge:
    return Charge("geometric", int(Decimal(epsilon) * 10**9), delta, Fraction(), what, unit)


class Tables:
    """An account's row and audit, with the promise of storage: an update of what was not read changes nothing."""

    def __init__(self, monkeypatch):
        self.accounts, self.audit, self.before, self.after, self.now = {}, [], [], [], START
        for name in ("read_books", "open_account", "change_account", "append_audit"):
            monkeypatch.setattr(book, name, getattr(self, name))
        monkeypatch.setattr(book, "actor", lambda ctx: "ann")
        monkeypatch.setattr(book, "require_safe_log_store", lambda store: None)
        monkeypatch.setattr(book.time, "sleep", lambda seconds: None)
        monkeypatch.setattr(clock, "now", lambda: self.now)

    def read_books(self, ctx, data_set):
        own = [each for each in self.accounts.values() if each.data_set == data_set]
        named = {each.name for each in own}
        orphans = {line["account"] for line in self.audit if line["account"].startswith(f"{data_set}/")} - named
        kept = (Kept(each, self.lines_of(each.name), "ann", spent(each.counted())) for each in own)
        return Books(tuple(kept), tuple(sorted(orphans)))

    def lines_of(self, name):
        return tuple((line["sequence"], line["hash"]) for line in self.audit if line["account"] == name)

    def end(self, name):
        return max((line["sequence"] for line in self.audit if line["account"] == name), default=0)

    def open_account(self, ctx, account):
        self._trouble(self.before)
        self.accounts.setdefault(account.name, account)
        self._trouble(self.after)

    def change_account(self, ctx, account, read_at):
        self._trouble(self.before)
        if self.accounts[account.name].sequence != read_at:
            return False
        self.accounts[account.name] = self.through_json(account)
        self._trouble(self.after)
        return True

    def append_audit(self, ctx, more):
        self.audit += more

    @staticmethod
    def _trouble(waiting):
        if waiting:
            waiting.pop(0)()

    @staticmethod
    def through_json(account):
        """What is read back is what was written."""
        row = {"data_set": account.data_set, "unit": account.unit, "recipient": account.recipient, "person": account.person}
        row |= {"cap_epsilon": plain(account.cap.epsilon), "cap_delta": plain(account.cap.delta), "period": account.period}
        row |= {"sequence": account.sequence, "head": account.head, "audited": account.audited}
        written = json.dumps({**row, "entries": entries_form(account)})
        assert account_of(json.loads(written, parse_float=Decimal)) == account
        return account


@pytest.fixture
def tables(monkeypatch):
    return Tables(monkeypatch)


def ctx_of(**budget):
    """A context as far as the ledger looks at it."""
    from contextlib import nullcontext

    budget = {"epsilon": 2, **budget}
    policy = Policy.model_validate(shop(anonymize__budget=budget))
    lake = SimpleNamespace(locked=lambda name: nullcontext())
    return SimpleNamespace(policy=policy, store=SimpleNamespace(lake=lake), run_id="run", reads={"clean.shop": 3}, now=START)


def only(tables):
    (account,) = tables.accounts.values()
    return account


def checked(tables):
    """What --verify finds."""
    account = only(tables)
    return problems(account, spent(account.counted()), tables.audit)


def test_a_release_is_booked_drawn_and_committed_once_however_often_it_is_told(tables):
    ctx = ctx_of()
    for _ in range(2):
        ledger.reserve(ctx, "r", [charge()])
    for _ in range(2):
        ledger.drawn(ctx, "r")
        ledger.reserve(ctx, "r", [charge()])
    for _ in range(2):
        ledger.committed(ctx, "r", 7)
        ledger.drawn(ctx, "r")
    account = only(tables)
    assert [(step.state, step.output_version) for step, _ in account.steps] == [
        ("reserved", None),
        ("drawn", None),
        ("committed", 7),
    ]
    assert (account.name, account.person, account.sequence) == ("shop/person/anyone", "customer", 3)
    assert spent(account.counted()) == Cost(Decimal(1))
    assert checked(tables) == []
    assert [line["sequence"] for line in tables.audit] == [1, 2, 3]


def test_a_run_is_refused_for_its_last_release_before_its_first_is_booked(tables):
    ctx, rows = ctx_of(epsilon=2), ledger.Booking("rows", [charge(2, unit="row")])
    first, second, third = (ledger.Booking(name, [charge(1)]) for name in ("first", "second", "third"))
    ledger.require_room(ctx, [rows, first, ledger.Booking("free", []), second])
    assert not tables.accounts
    ledger.reserve(ctx, *first)
    before = copy.deepcopy((tables.accounts, tables.audit))
    with pytest.raises(BudgetError, match=r"this release costs 1 and 2 of 2 is spent on account shop/person/anyone"):
        ledger.require_room(ctx, [rows, first, second, third])
    ledger.require_room(ctx, [rows, first, second])
    assert (tables.accounts, tables.audit) == before


def test_over_the_cap_nothing_is_booked(tables):
    ctx = ctx_of(epsilon="0.3", delta="1e-9")
    ledger.reserve(ctx, "a", [charge("0.1"), charge("0.1", Fraction(1, 10**9), what="sum")])
    ledger.reserve(ctx, "b", [charge("0.1")])
    before = copy.deepcopy(tables.accounts)
    with pytest.raises(BudgetError, match=r"budget\.epsilon: this release costs 0\.000000001 and 0\.3 of 0\.3 is spent"):
        ledger.reserve(ctx, "c", [charge("0.000000001")])
    with pytest.raises(BudgetError, match=r"budget\.delta: this release costs 0\.0{29}1 and 0\.000000001 of 0\.000000001"):
        ledger.reserve(ctx, "c", [Charge("threshold", 0, Fraction(1, 10**40), Fraction(), "keys")])
    assert tables.accounts == before
    assert len(tables.audit) == 2


def test_what_is_cancelled_before_it_is_drawn_is_given_back_and_nothing_later(tables):
    ctx = ctx_of(epsilon=1)
    ledger.reserve(ctx, "a", [charge()])
    ledger.cancelled(ctx, "a")
    ledger.cancelled(ctx, "a")
    ledger.reserve(ctx, "b", [charge()])
    with pytest.raises(BudgetError, match="costs 1 and 1 of 1"):
        ledger.reserve(ctx, "a", [charge()])
    with pytest.raises(BudgetError, match="release a is cancelled and cannot be drawn; allowed: reserved"):
        ledger.drawn(ctx, "a")
    ledger.drawn(ctx, "b")
    with pytest.raises(BudgetError, match="release b is drawn and cannot be cancelled; allowed: committed"):
        ledger.cancelled(ctx, "b")
    with pytest.raises(BudgetError, match="release c is not booked, so it cannot be committed"):
        ledger.committed(ctx, "c", 1)
    assert checked(tables) == []


def test_a_cancelled_release_may_be_booked_again_and_counts_in_the_period_of_that(tables):
    ctx = ctx_of(epsilon=1, period="month")
    ledger.reserve(ctx, "a", [charge()])
    ledger.cancelled(ctx, "a")
    tables.now = START + timedelta(days=40)
    ledger.reserve(ctx, "a", [charge()])
    assert only(tables).counted("2026-01") == []
    assert [entry.release_id for entry in only(tables).counted("2026-02")] == ["a"]
    assert checked(tables) == []


@pytest.mark.parametrize("other", [[charge(2)], [charge(), charge()], [charge(what="sum")], [charge(delta=Fraction(1, 10**9))]])
def test_the_same_release_with_another_request_is_an_error(tables, other):
    ctx = ctx_of(epsilon=9, delta="0.1")
    ledger.reserve(ctx, "a", [charge()])
    before = copy.deepcopy(tables.accounts)
    with pytest.raises(BudgetError, match=r"release a is booked .* with other charges or slices"):
        ledger.reserve(ctx, "a", other)
    assert tables.accounts == before


def test_a_request_is_the_same_in_any_order():
    charges = [charge(1, what="sum"), charge(2, what="count")]
    assert request_hash(charges, ["x", "y"]) == request_hash(charges[::-1], ["y", "x"]) != request_hash(charges, ["x"])


def test_rows_and_people_and_recipients_have_accounts_of_their_own(tables):
    ledger.reserve(ctx_of(), "a", [charge(2, unit="row")])
    ledger.reserve(ctx_of(), "b", [charge(2)])
    ledger.reserve(ctx_of(recipient="partner"), "c", [charge(2)])
    assert sorted(tables.accounts) == ["shop/person/anyone", "shop/person/partner", "shop/row/anyone"]
    # A recipient's releases are moved by a policy of that recipient alone.
    with pytest.raises(BudgetError, match="release c is not booked"):
        ledger.drawn(ctx_of(), "c")
    assert next(iter(_together(list(tables.accounts.values())))).startswith("together   epsilon 6 on 3 accounts")


def conflict():
    raise PySparkException("DELTA_CONCURRENT_APPEND")


def lost():
    raise PySparkException("connection reset")


def test_a_conflict_is_tried_again(tables):
    ctx = ctx_of()
    tables.before = [conflict, conflict]
    ledger.reserve(ctx, "a", [charge()])
    tables.before = [conflict]
    ledger.reserve(ctx, "b", [charge()])
    assert [entry.release_id for entry in only(tables).entries] == ["a", "b"]
    assert checked(tables) == []


def test_a_failure_after_the_write_spends_once_and_is_no_failure(tables):
    ctx = ctx_of()
    tables.after = [lost]
    ledger.reserve(ctx, "a", [charge()])
    tables.after = [lost]
    ledger.drawn(ctx, "a")
    assert [step.state for step, _ in only(tables).steps] == ["reserved", "drawn"]
    ledger.committed(ctx, "a", 1)
    assert checked(tables) == []


def test_a_failure_before_the_write_is_told_and_spends_nothing(tables):
    ctx = ctx_of()
    ledger.reserve(ctx, "a", [charge()])
    tables.before = [lost]
    with pytest.raises(PySparkException, match="connection reset"):
        ledger.reserve(ctx, "b", [charge()])
    assert only(tables).sequence == 1
    ledger.reserve(ctx, "b", [charge()])
    assert checked(tables) == []


def test_a_job_that_read_before_another_wrote_does_not_overspend(tables):
    """The other job books between this one's reading and writing; then there is room for one of them only."""
    ctx = ctx_of(epsilon=2)
    ledger.reserve(ctx, "a", [charge()])
    tables.before = [lambda: ledger.reserve(ctx, "other", [charge()])]
    with pytest.raises(BudgetError, match="costs 1 and 2 of 2"):
        ledger.reserve(ctx, "mine", [charge()])
    assert [entry.release_id for entry in only(tables).entries] == ["a", "other"]


def test_two_jobs_that_open_an_account_at_once_share_it(tables):
    ctx = ctx_of(epsilon=1)
    tables.before = [lambda: ledger.reserve(ctx, "other", [charge()])]
    with pytest.raises(BudgetError, match="costs 1 and 1 of 1"):
        ledger.reserve(ctx, "mine", [charge()])
    assert [entry.release_id for entry in only(tables).entries] == ["other"]


def test_who_is_always_too_late_gives_up_with_a_sentence(tables):
    ctx = ctx_of()
    tables.before = [conflict] * 99
    with pytest.raises(BudgetError, match="20 tries"):
        ledger.reserve(ctx, "a", [charge()])
    assert tables.accounts == {}


def test_a_process_that_dies_between_both_writes_leaves_the_spend_and_the_next_one_its_audit(tables, monkeypatch):
    ctx = ctx_of()

    def dies(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(book, "append_audit", dies)
        with pytest.raises(KeyboardInterrupt):
            ledger.reserve(ctx, "a", [charge()])
    assert (spent(only(tables).counted()).epsilon, tables.audit) == (1, [])
    assert checked(tables) == []
    assert unwritten(only(tables), tables.audit) == 1
    ledger.reserve(ctx, "b", [charge()])
    assert [line["sequence"] for line in tables.audit] == [1, 2]
    assert unwritten(only(tables), tables.audit) == 0


def test_a_cap_below_what_is_spent_is_refused(tables):
    ledger.reserve(ctx_of(), "a", [charge(2)])
    with pytest.raises(BudgetError, match=r"budget\.epsilon: found 1\.5, but 2 is spent on account shop/person/anyone already"):
        ledger.reserve(ctx_of(epsilon="1.5"), "b", [charge("0.1")])
    ledger.reserve(ctx_of(epsilon="2.5"), "b", [charge("0.1")])
    assert only(tables).cap == Cost(Decimal("2.5"))


def test_the_ledger_of_another_policy_is_refused(tables):
    ctx = ctx_of(data_set="bank")
    ledger.reserve(ctx, "a", [charge()])
    other = Policy.model_validate(shop(name="other", person="town", anonymize__budget={"epsilon": 2, "data_set": "bank"}))
    stranger = SimpleNamespace(**{**vars(ctx), "policy": other})
    with pytest.raises(BudgetError, match="counts people by customer, this policy by town: it is the ledger of another policy"):
        ledger.reserve(stranger, "b", [charge()])
    friend = Policy.model_validate(shop(name="friend", anonymize__budget={"epsilon": 2, "data_set": "bank"}))
    ledger.reserve(SimpleNamespace(**{**vars(ctx), "policy": friend}), "b", [charge()])
    assert spent(only(tables).counted()).epsilon == 2


def test_a_clock_that_went_back_is_refused_and_one_that_lags_a_little_is_not(tables):
    ctx = ctx_of(epsilon=9)
    ledger.reserve(ctx, "a", [charge()])
    tables.now = START - timedelta(minutes=4)
    ledger.reserve(ctx, "b", [charge()])
    tables.now = START - timedelta(minutes=6)
    with pytest.raises(BudgetError, match=r"the clock says 2026-01-02T02:58:05\.678Z.*changed at 2026-01-02T03:04:05\.678Z"):
        ledger.reserve(ctx, "c", [charge()])
    # What is drawn is drawn, whatever the clock says: the sequence is the order, the time is what was read.
    ledger.drawn(ctx, "a")
    assert [step.at - START for step, _ in only(tables).steps] == [timedelta(), timedelta(minutes=-4), timedelta(minutes=-6)]
    assert checked(tables) == []


def test_a_period_has_its_own_cap_and_a_lagging_clock_does_not_reopen_the_one_before(tables):
    ctx = ctx_of(epsilon=1, period="quarter")
    ledger.reserve(ctx, "a", [charge()])
    with pytest.raises(BudgetError, match="1 of 1 is spent in 2026-Q1"):
        ledger.reserve(ctx, "b", [charge()])
    tables.now = datetime(2026, 4, 1, 0, 1, tzinfo=timezone.utc)
    ledger.reserve(ctx, "b", [charge("0.5")])
    tables.now -= timedelta(minutes=2)
    with pytest.raises(BudgetError, match=r"0\.5 of 1 is spent in 2026-Q2"):
        ledger.reserve(ctx, "c", [charge("0.6")])
    assert spent(only(tables).counted()).epsilon == Decimal("1.5")
    assert checked(tables) == []


@pytest.mark.parametrize(("period", "name"), [(None, None), ("month", "2026-09"), ("quarter", "2026-Q3"), ("year", "2026")])
def test_periods_are_those_of_the_calendar(period, name):
    assert period_of(datetime(2026, 9, 30, 23, 59), period) == name


def test_without_a_budget_nothing_with_a_cost_is_booked(tables):
    policy = Policy.model_validate(shop(anonymize__budget=None, anonymize__noise={}))
    ctx = SimpleNamespace(**{**vars(ctx_of()), "policy": policy})
    ledger.reserve(ctx, "a", [])
    with pytest.raises(BudgetError, match=r"anonymize\.budget is missing"):
        ledger.reserve(ctx, "a", [charge()])


@pytest.mark.parametrize(
    "arguments",
    [(0.5, Fraction(), Fraction()), (1, 1e-9, Fraction()), (1, Fraction(), 0.1), (Decimal(1), Fraction(), Fraction())],
)
def test_a_charge_is_never_a_float(arguments):
    with pytest.raises(TypeError, match="exact"):
        Charge("laplace", *arguments, "what")


@pytest.mark.parametrize("arguments", [(0, Fraction(), Fraction()), (-1, Fraction(), Fraction()), (1, Fraction(1), Fraction())])
def test_a_charge_costs_something_that_can_be(arguments):
    with pytest.raises(ValueError, match="costs something"):
        Charge("laplace", *arguments, "what")


@pytest.mark.parametrize(
    "budget",
    [
        *({"epsilon": epsilon} for epsilon in (0, -1, "inf", "nan", 1e6)),
        *({"epsilon": 1, "delta": delta} for delta in (1, -1, "1e-31")),
        {"epsilon": 1, "period": "day"},
        {"epsilon": 1, "recipient": "a/b"},
    ],
)
def test_a_budget_that_cannot_be_is_refused(budget):
    with pytest.raises(ValidationError):
        Budget.model_validate(budget)


def test_a_delta_of_thirty_decimals_is_kept_exactly():
    assert plain(Budget(epsilon=1, delta="0.100000000000000000000000000001").delta) == "0.100000000000000000000000000001"


@given(st.fractions(0, 1), st.integers(1, 30))
def test_rounding_up_is_up_and_by_less_than_the_last_decimal(value, places):
    rounded = Fraction(rounded_up(value, places))
    assert value <= rounded < value + Fraction(1, 10**places)


@given(st.lists(st.tuples(st.integers(1, 10**12), st.fractions(0, "1/1000")), min_size=1, max_size=9))
def test_sums_never_say_less_than_was_charged(parts):
    charges = [Charge("m", epsilon, delta, Fraction(), "w") for epsilon, delta in parts]
    total = cost_of(charges)
    assert Fraction(total.epsilon) == Fraction(sum(epsilon for epsilon, _ in parts), 10**9)
    assert sum(delta for _, delta in parts) <= Fraction(total.delta)


MONTHS, REGIONS = ["01", "02", "03"], ["n", "s"]
SLICES = [json.dumps({"month": m}) for m in MONTHS] + [json.dumps({"region": r}) for r in REGIONS]


@given(
    st.lists(st.tuples(st.integers(1, 5), st.sets(st.sampled_from(SLICES), max_size=3)), max_size=8),
    st.sets(st.sampled_from(SLICES)),
)
def test_what_is_spent_on_slices_is_what_the_dearest_row_in_them_bears(booked, asked):
    """The oracle gives every row (a month and a region) its epsilon by itself; slices of two kinds may count too much."""
    entries = [
        Entry(f"r{i}", "", Cost(Decimal(epsilon)), (), tuple(sorted(slices)) or None, {}, ())
        for i, (epsilon, slices) in enumerate(booked)
    ]
    bears: Counter = Counter()
    rows = [{"month": m, "region": r} for m in MONTHS for r in REGIONS]
    inside = [row for row in rows if not asked or any(json.loads(name).items() <= row.items() for name in asked)]
    for i, row in enumerate(inside):
        for epsilon, slices in booked:
            if not slices or any(json.loads(name).items() <= row.items() for name in slices):
                bears[i] += epsilon
    found = spent(entries, sorted(asked)).epsilon
    assert found >= max(bears.values(), default=0)
    if all("month" in name for _, slices in booked for name in slices) and all("month" in name for name in asked):
        assert found == max(bears.values(), default=0)


@pytest.fixture
def kept(tables):
    """An account with a history: three releases, one cancelled, two published."""
    ctx = ctx_of(epsilon=9)
    for name in ("a", "b", "c"):
        ledger.reserve(ctx, name, [charge("0.5")])
    ledger.cancelled(ctx, "b")
    for name in ("a", "c"):
        ledger.drawn(ctx, name)
        ledger.committed(ctx, name, 3)
    assert checked(tables) == []
    return tables


def edited(line, **changes):
    return {**line, **changes}


SWAP = {3: 4, 4: 3}
TAMPERING = {
    "an edited line": lambda lines: [edited(line, epsilon="0.1") if line["sequence"] == 3 else line for line in lines],
    "an edited line with its hash made up": lambda lines: forged(lines, 3),
    "a line removed": lambda lines: [line for line in lines if line["sequence"] != 4],
    "the first line removed": lambda lines: lines[1:],
    "the tail cut": lambda lines: lines[:3],
    "all lines removed": lambda lines: [],
    "two lines exchanged": lambda lines: [edited(line, sequence=SWAP.get(line["sequence"], line["sequence"])) for line in lines],
    "a line added": lambda lines: [*lines, edited(lines[-1], sequence=len(lines) + 1)],
    "a line doubled with other content": lambda lines: [*lines, edited(lines[3], actor="eve")],
    "another time": lambda lines: [edited(lines[0], at="2025-01-01T00:00:00.000Z"), *lines[1:]],
}  # fmt: skip


def forged(lines, number):
    """All hashes from a line on made anew, as somebody who may write the audit alone would."""
    from kveil.anonymize.ledger.audit import hash_of

    made, previous = [], "0" * 64
    for line in lines:
        cheap = {"epsilon": "0.1"} if line["sequence"] == number else {}
        new = edited(line, previous=previous, **cheap)
        new["hash"] = previous = hash_of(new)
        made.append(new)
    return made


@pytest.mark.parametrize("name", TAMPERING)
def test_tampering_with_the_audit_is_found(kept, name):
    account = only(kept)
    found = problems(account, spent(account.counted()), TAMPERING[name](copy.deepcopy(kept.audit)))
    assert found
    assert all(sentence.startswith("control.budget_") for sentence in found)


def test_a_line_that_two_jobs_both_added_is_no_tampering(kept):
    account = only(kept)
    assert problems(account, spent(account.counted()), [*kept.audit, kept.audit[4]]) == []


def test_tampering_with_the_account_is_found(kept):
    account = only(kept)
    sums = spent(account.counted())
    cheaper = replace(account.entries[0], cost=Cost(Decimal("0.1")))
    undone = replace(account.entries[0], steps=account.entries[0].steps[:1])
    for changed in (
        replace(account, entries=(cheaper, *account.entries[1:])),
        replace(account, entries=account.entries[1:]),
        replace(account, entries=(undone, *account.entries[1:])),
        replace(account, sequence=account.sequence - 1),
        replace(account, head="0" * 64),
    ):
        assert problems(changed, spent(changed.counted()), kept.audit)
    assert problems(account, Cost(Decimal("0.1")), kept.audit) != problems(account, sums, kept.audit) == []


def test_an_older_row_put_back_is_found(kept):
    """The row as it was before the last release, whole and sound in itself."""
    account = only(kept)
    older = replace(account, entries=account.entries[:2], sequence=4)
    steps = [step for entry in older.entries for step in entry.steps if step.sequence <= 4]
    older = replace(older, entries=tuple(replace(e, steps=tuple(s for s in e.steps if s in steps)) for e in older.entries))
    older = replace(older, head=list(lines(older))[-1]["hash"], audited=3)
    assert problems(older, spent(older.counted()), kept.audit)


def test_nothing_is_spent_on_an_audit_with_a_cut_tail(kept):
    kept.audit = kept.audit[:2]
    with pytest.raises(BudgetError, match="somebody removed lines"):
        ledger.reserve(ctx_of(epsilon=9), "d", [charge()])
    assert only(kept).entry("d") is None


def test_the_statement_tells_balance_history_pace_and_lifetime(tables):
    ctx = ctx_of(epsilon=2, delta="1e-6", period="month")
    ledger.reserve(ctx, "first", [charge("0.5", Fraction(1, 10**9))])
    tables.now = datetime(2026, 2, 1, tzinfo=timezone.utc)
    ledger.reserve(ctx, "second", [charge(1)])
    ledger.drawn(ctx, "second")
    text = "\n".join(_account_lines(only(tables), datetime(2026, 2, 11, tzinfo=timezone.utc)))
    for said in (
        "cap        epsilon 2, delta 1e-6 per month",
        "spent      epsilon 1 in 2026-02",
        "lifetime   epsilon 1.5, delta 1e-9",
        "left       epsilon 1, delta 1e-6 in 2026-02",
        "2026-01  epsilon 0.5, delta 1e-9 in 1 releases",
        "burn rate  epsilon 3 per 30 days; the cap would be reached on 2026-02-21",
        "drawn     1",
    ):
        assert said in text, (said, text)
    assert "not reached in this month" in "\n".join(_account_lines(only(tables), datetime(2026, 2, 27, tzinfo=timezone.utc)))
    assert "nothing is spent" in "\n".join(_account_lines(opened(Budget(epsilon=1), "d", "row", "p"), START))
