"""The two ways a call can end badly, as exceptions that carry one line for the user.

`UsageError`: the call was wrong (exit code 2). `WorkError`: the call was right and the work failed (exit code 1).
Bad *input data* is neither: it becomes a verdict or a counted rejection.
"""


class SeedError(Exception):
    """Base of the errors whose message is written for the user: one line that says what to do."""


class UsageError(SeedError):
    """The call was wrong: a name that does not exist, a malformed policy, a lake that is not there."""


class WorkError(SeedError):
    """The work failed although the call was right; what it would have published is not there."""
