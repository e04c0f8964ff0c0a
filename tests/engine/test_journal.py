import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seed_platform.engine.journal import Journal


def known(journal: Journal) -> dict[int, bytes]:
    results = {ordinal: journal.recall(ordinal) for ordinal in range(10)}
    return {ordinal: result for ordinal, result in results.items() if result is not None}


def test_a_new_journal_knows_nothing(tmp_path: Path):
    with Journal(tmp_path / "journal") as journal:
        assert journal.recall(0) is None
        assert journal.interrupted() is None


def test_results_are_recalled_by_the_next_attempt(tmp_path: Path):
    with Journal(tmp_path / "journal") as journal:
        journal.start(7)
        journal.finish(7, b"seven")
        journal.start(2**40)
        journal.finish(2**40, b"")
    with Journal(tmp_path / "journal") as journal:
        assert journal.recall(7) == b"seven"
        assert journal.recall(2**40) == b""
        assert journal.recall(8) is None
        assert journal.interrupted() is None


def test_a_killed_process_leaves_its_results_and_the_document_it_was_on(tmp_path: Path):
    program = (
        "import os, signal, sys; from pathlib import Path; from seed_platform.engine.journal import Journal\n"
        "j = Journal(Path(sys.argv[1])); j.start(1); j.finish(1, b'one'); j.start(2); os.kill(os.getpid(), 9)"
    )
    died = subprocess.run([sys.executable, "-c", program, str(tmp_path / "journal")], check=False)
    assert died.returncode == -signal.SIGKILL
    with Journal(tmp_path / "journal") as journal:
        assert journal.recall(1) == b"one"
        assert journal.interrupted() == 2


def test_a_quarantined_document_is_recalled_and_no_longer_interrupted(tmp_path: Path):
    with Journal(tmp_path / "journal") as journal:
        journal.start(3)
    with Journal(tmp_path / "journal") as journal:
        journal.quarantine(3, b"crashed")
        assert journal.interrupted() is None
    with Journal(tmp_path / "journal") as journal:
        assert journal.recall(3) == b"crashed"


def test_bytes_that_are_no_records_are_cut_off(tmp_path: Path):
    (tmp_path / "journal").write_bytes(b"not a journal at all, but long enough to be one")
    with Journal(tmp_path / "journal") as journal:
        assert journal.interrupted() is None
    assert (tmp_path / "journal").read_bytes() == b""


def test_closing_twice_is_harmless(tmp_path: Path):
    journal = Journal(tmp_path / "journal")
    journal.close()
    journal.close()


def test_a_full_disk_is_an_error_and_not_a_lost_result():
    if not os.access("/dev/full", os.W_OK):
        pytest.skip("this system has no /dev/full")
    journal = Journal.__new__(Journal)
    journal._fd = os.open("/dev/full", os.O_WRONLY)
    with journal, pytest.raises(OSError, match="No space left"):
        journal.start(1)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(st.tuples(st.integers(0, 9), st.binary(max_size=9)), min_size=1), cut=st.integers(0, 400))
def test_a_journal_cut_anywhere_gives_a_prefix_of_what_was_written(
    tmp_path: Path, records: list[tuple[int, bytes]], cut: int
):
    path = tmp_path / "journal"
    path.unlink(missing_ok=True)
    states: list[dict[int, bytes]] = [{}]
    with Journal(path) as journal:
        for ordinal, result in records:
            journal.start(ordinal)
            journal.finish(ordinal, result)
            states.append(states[-1] | {ordinal: result})
    os.truncate(path, min(cut, path.stat().st_size))
    with Journal(path) as journal:
        found = known(journal)
        assert found in states
        journal.start(11)
        journal.finish(11, b"after the tear")
    with Journal(path) as journal:
        assert journal.recall(11) == b"after the tear"
        assert known(journal) == found
