"""The errors a user may meet: one sentence each, with the exit code that scripts can rely on.

Messages name the policy key, table or column at fault and what is allowed. They never hold a value of personal data.
"""


class KveilError(Exception):
    """Something that a person can act on. `str(error)` is the whole message."""

    exit_code = 1


class SettingsError(KveilError):
    """The policy cannot be used; holds every problem found, one line each."""

    exit_code = 2

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class ContractError(KveilError):
    """A source or table is not what the policy declares."""

    exit_code = 3


class GuaranteeError(KveilError):
    """A privacy guarantee or a gate does not hold, so nothing was published."""

    exit_code = 4


class BudgetError(KveilError):
    """The privacy budget does not cover what was asked."""

    exit_code = 5
