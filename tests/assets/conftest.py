"""What all tests with a Dagster instance of their own need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dagster._core.storage.defs_state import DefsStateStorage


@pytest.fixture(autouse=True)
def _no_state_of_another_instance() -> Iterator[None]:
    """Definitions here have no stored state, and must not ask an instance that an earlier test has closed for it.

    Dagster keeps the storage of the last instance in a context variable, and puts back an older one whenever a sensor's
    or schedule's context happens to be collected.
    """
    # A patch of its own: a test may undo those of the fixture that it is given.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DefsStateStorage, "get", classmethod(lambda cls: None))  # noqa: ARG005 - as Dagster calls it
        yield
