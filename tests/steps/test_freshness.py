"""What is outstanding after what: computing nothing twice, and never taking one state's result for another's."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flow_tables import LINE_TABLES, REPOSITORY_VERDICTS, contents_of, outcomes_of, work_on
from support import lake_of, make_repository, python_source, run_flow, settings_of

from seed_platform.batches import Batch, add_batch, pin_sources
from seed_platform.commits.policy import CommitGatePolicy
from seed_platform.corpora.policy import RepositoryLevelPolicy
from seed_platform.errors import WorkError
from seed_platform.lake.lake import Lake
from seed_platform.policy import Policy, RepositoryDuplicatesPolicy, RulesPolicy, SyntaxPolicy
from seed_platform.settings import Settings
from seed_platform.steps.base import Context, Report
from seed_platform.steps.commit_flow import COMMIT_STEPS
from seed_platform.steps.flow import (
    EXACT_DUPLICATES,
    FILE_LEVEL_CORPUS,
    FILE_QUALITY,
    NEAR_DUPLICATES,
    QUALITY_SCORES,
    READ,
    REPOSITORY_EXACT_DUPLICATES,
    REPOSITORY_LEVEL_CORPUS,
    REPOSITORY_NEAR_DUPLICATES,
    REPOSITORY_QUALITY,
    RULES,
    SEQUENCES,
    STEPS,
    SYNTAX,
)
from seed_platform.steps.freshness import Flow, bring_up_to_date, load_records
from seed_platform.steps.lines import REPOSITORY_LINE
from seed_platform.steps.models import model_ids
from seed_platform.steps.read import limits_of


def _project(folder: Path, name: str, seed: int) -> str:
    make_repository(folder / name, {"good.py": python_source(seed, 30), "bad.py": f"def f{seed}(:\n"})
    return str(folder / name)


def _register(root: str, spec: str, name: str) -> None:
    settings = settings_of(root)
    add_batch(lake_of(settings), pin_sources([spec], limits_of(settings), {}), name=name)


def _outstanding(root: str, policy: Policy) -> list[tuple[str, str]]:
    context, flow, _ = work_on(root, policy)
    return [(batch.key, step.name) for batch, step in flow.outstanding(load_records(context.lake))]


def _versions(lake: Lake) -> dict[str, int]:
    found = {name: lake.open(table) for name, table in LINE_TABLES.items()}
    return {name: delta.version() for name, delta in found.items() if delta is not None}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sources of two batches and a lake where both are done; tests that write take a copy."""
    folder = tmp_path_factory.mktemp("done")
    for seed, name in enumerate(("first", "second")):
        spec = _project(folder, name, seed)
        run_flow(str(folder / "lake"), [spec], name=name, workers=1, steps=REPOSITORY_LINE.steps)
    return folder


def test_running_twice_computes_nothing_the_second_time(done: Path):
    root = str(done / "lake")
    before = _versions(lake_of(settings_of(root)))
    assert run_flow(root, [], steps=REPOSITORY_LINE.steps) == []
    context, flow, batches = work_on(root)
    answers = [bring_up_to_date(context, flow, step, batch) for batch in batches for step in REPOSITORY_LINE.steps]
    assert not any(answer.computed for answer in answers)
    assert _versions(context.lake) == before


def test_adding_the_same_sources_again_leaves_nothing_outstanding(done: Path):
    assert run_flow(str(done / "lake"), [str(done / "second")], workers=1, steps=REPOSITORY_LINE.steps) == []


def test_a_syntax_threshold_makes_only_syntax_and_what_reads_it_outstanding(done: Path):
    policy = Policy(syntax=SyntaxPolicy(max_error_ratio=0.5))
    files = (SYNTAX, NEAR_DUPLICATES, QUALITY_SCORES, FILE_QUALITY, FILE_LEVEL_CORPUS)
    repositories = (REPOSITORY_QUALITY, REPOSITORY_LEVEL_CORPUS, SEQUENCES)
    assert _outstanding(str(done / "lake"), policy) == [
        (batch, step.name) for batch in ("first", "second") for step in (*files, *repositories)
    ]


def test_a_rules_threshold_leaves_reading_and_the_trees_of_repositories_alone(done: Path):
    policy = Policy(rules=RulesPolicy(max_bytes=999_999))
    names = {name for _, name in _outstanding(str(done / "lake"), policy)}
    assert names == {step.name for step in STEPS} - {READ.name, REPOSITORY_EXACT_DUPLICATES.name}


def test_a_threshold_of_quality_makes_only_repositories_and_their_sequences_outstanding(done: Path):
    policy = Policy(repository_level=RepositoryLevelPolicy(min_quality=0.9))
    assert {name for _, name in _outstanding(str(done / "lake"), policy)} == {
        step.name for step in (REPOSITORY_QUALITY, REPOSITORY_LEVEL_CORPUS, SEQUENCES)
    }


def test_a_threshold_of_the_gate_makes_all_commits_outstanding_and_nothing_else(done: Path):
    policy = Policy(commit_gate=CommitGatePolicy(stars=9))
    assert {name for _, name in _outstanding(str(done / "lake"), policy)} == {step.name for step in COMMIT_STEPS}


def test_a_threshold_of_repositories_leaves_reading_and_rules_alone(done: Path):
    policy = Policy(repository_duplicates=RepositoryDuplicatesPolicy(overlap=0.9))
    names = {name for _, name in _outstanding(str(done / "lake"), policy)}
    assert names == {step.name for step in STEPS} - {READ.name, RULES.name}


def test_a_new_version_of_a_filter_makes_it_outstanding_with_what_depends_on_it(done: Path):
    context, _, batches = work_on(str(done / "lake"))
    newer = [replace(step, version="next") if step is NEAR_DUPLICATES else step for step in STEPS]
    flow = Flow(newer, batches, Policy(), Settings(), models=model_ids(context.lake))
    left = flow.outstanding(load_records(context.lake))
    scored = {QUALITY_SCORES.name, FILE_QUALITY.name}
    assert {step.name for _, step in left} == {NEAR_DUPLICATES.name, FILE_LEVEL_CORPUS.name, SEQUENCES.name, *scored}


def test_a_later_batch_does_not_make_an_earlier_one_outstanding(done: Path, tmp_path: Path):
    root = str(shutil.copytree(done / "lake", tmp_path / "lake"))
    _register(root, _project(tmp_path, "third", 2), "third")
    assert _outstanding(root, Policy()) == [("third", step.name) for step in REPOSITORY_LINE.steps]


def test_a_step_refuses_to_run_while_its_input_is_outstanding(tmp_path: Path):
    root = str(tmp_path / "lake")
    _register(root, _project(tmp_path, "first", 1), "first")
    context, flow, batches = work_on(root)
    with pytest.raises(WorkError, match=r"verdicts/files/rules of batch first needs files of batch first.*seed run"):
        bring_up_to_date(context, flow, RULES, batches[0])
    assert _versions(context.lake) == {}


def test_a_comparing_step_refuses_to_run_while_an_earlier_batch_is_outstanding(tmp_path: Path):
    root = str(tmp_path / "lake")
    for name in ("first", "second"):
        _register(root, _project(tmp_path, name, len(name)), name)
    context, flow, batches = work_on(root)
    for step in (READ, RULES):
        bring_up_to_date(context, flow, step, batches[1])
    with pytest.raises(WorkError, match=r"repositories/exact_duplicates of batch second needs .* of batch first"):
        bring_up_to_date(context, flow, REPOSITORY_EXACT_DUPLICATES, batches[1])
    assert lake_of(settings_of(root)).open(REPOSITORY_VERDICTS["exact_duplicates"]) is None


def test_a_comparing_step_refuses_to_run_while_an_input_of_an_earlier_batch_is_another_policys(
    done: Path, tmp_path: Path
):
    root = str(shutil.copytree(done / "lake", tmp_path / "lake"))
    context, flow, batches = work_on(root, Policy(rules=RulesPolicy(max_bytes=9)))
    bring_up_to_date(context, flow, RULES, batches[0])
    context, flow, batches = work_on(root)
    newer = [replace(step, version="next") if step is REPOSITORY_NEAR_DUPLICATES else step for step in STEPS]
    flow = Flow(newer, batches, Policy(), Settings())
    step = next(step for step in newer if step.name == REPOSITORY_NEAR_DUPLICATES.name)
    with pytest.raises(WorkError, match=r"near_duplicates of batch second needs .* of batch first"):
        bring_up_to_date(context, flow, step, batches[1])


def _batch(number: int) -> Batch:
    return Batch(f"batch{number:05d}", number, "repositories", f"{number:064x}", (), datetime.now(UTC))


def test_the_fingerprints_of_a_thousand_batches_take_seconds_and_no_deep_recursion():
    batches = [_batch(number) for number in range(1, 1001)]
    started = time.process_time()
    # Asked of the last batch first: nothing of those before it is known yet.
    flow = Flow(STEPS, batches, Policy(), Settings())
    last = flow.fingerprint(FILE_LEVEL_CORPUS, batches[-1])
    assert len(flow.outstanding({})) == 1000 * len(STEPS)
    assert time.process_time() - started < 10
    assert last == Flow(STEPS, batches, Policy(), Settings()).fingerprint(FILE_LEVEL_CORPUS, batches[-1])


def test_fingerprints_differ_between_batches_and_depend_on_those_before():
    first, second, third = (_batch(number) for number in (1, 2, 3))
    both, alone = Flow(STEPS, [first, second], Policy(), Settings()), Flow(STEPS, [third, second], Policy(), Settings())
    assert both.fingerprint(EXACT_DUPLICATES, first) != both.fingerprint(EXACT_DUPLICATES, second)
    assert both.fingerprint(RULES, second) == alone.fingerprint(RULES, second)
    assert both.fingerprint(EXACT_DUPLICATES, second) != alone.fingerprint(EXACT_DUPLICATES, second)
    assert both.fingerprint(SYNTAX, second) != alone.fingerprint(SYNTAX, second)


def test_a_source_that_vanished_after_it_was_read_never_replaces_its_rows(done: Path, tmp_path: Path):
    root = str(tmp_path / "lake")
    spec = _project(tmp_path, "fragile", 9)
    run_flow(root, [spec], name="fragile", workers=1)
    before = contents_of(root)
    shutil.rmtree(spec)
    context, _, batches = work_on(root)
    newer = [replace(step, version="next") if step is READ else step for step in STEPS]
    versions = _versions(context.lake)
    with pytest.raises(WorkError, match=r"cannot be read again \(.*fragile: missing_path\); the lake is unchanged"):
        bring_up_to_date(context, Flow(newer, batches, Policy(), Settings()), newer[0], batches[0])
    assert _versions(context.lake) == versions
    assert contents_of(root) == before


def test_a_run_that_ends_between_publishing_and_recording_is_not_taken_for_the_old_policys(done: Path, tmp_path: Path):
    root = str(shutil.copytree(done / "lake", tmp_path / "lake"))
    before = outcomes_of(root)
    strict = Policy(rules=RulesPolicy(max_bytes=1))

    def publish_and_end(context: Context, batch: Batch, earlier: list[Batch]) -> Report:
        RULES.run(context, batch, earlier)
        raise KeyboardInterrupt

    context, _, batches = work_on(root, strict)
    ending = [replace(step, run=publish_and_end) if step is RULES else step for step in STEPS]
    with pytest.raises(KeyboardInterrupt):
        bring_up_to_date(context, Flow(ending, batches, strict, Settings()), ending[1], batches[0])
    assert outcomes_of(root) != before
    run_flow(root, [], workers=1)
    assert outcomes_of(root) == before
