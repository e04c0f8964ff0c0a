"""Asking a judge about a sample: how many of each language, nothing paid twice, what is learned from answers."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from flow_tables import rows_of
from judge_server import KEY, Behaviour, JudgeServer, fails, rates, says
from pydantic import SecretStr
from support import lake_of, make_repository, python_source, run_flow, settings_of

from seed_platform.engine.local import LocalEngine
from seed_platform.errors import UsageError, WorkError
from seed_platform.lake.schemas import FILES, JUDGEMENTS
from seed_platform.lineage.judges import agreement, scores_of
from seed_platform.policy import Policy
from seed_platform.scoring.policy import JudgeSamplePolicy
from seed_platform.settings import Settings
from seed_platform.steps.base import Context
from seed_platform.steps.judge_sample import Judged, judge_files, judged_labels
from seed_platform.steps.judgements import judges

PYTHON, C = 12, 6
SAMPLE = JudgeSamplePolicy(per_language=4, per_language_of={"Python": 7})


def _c(seed: int) -> str:
    words = python_source(seed, 12).split()
    names = sorted({word for word in words if word.isidentifier() and len(word) > 6})
    return "".join(f"static int {name}(int {name}_x) {{ return {name}_x * {seed}; }}\n" for name in names[:20])


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A lake of Python and C files, one of which a filter drops, and one of which is there twice."""
    folder = tmp_path_factory.mktemp("judged")
    files: dict[str, str | bytes] = {f"p{seed}.py": python_source(seed, 25) for seed in range(PYTHON)}
    files |= {f"c{seed}.c": _c(seed + 50) for seed in range(C)}
    files |= {"empty.py": "", "same.py": python_source(0, 25)}
    make_repository(folder / "one", files)
    run_flow(str(folder / "lake"), [str(folder / "one")], name="one", workers=1)
    return str(folder / "lake")


@pytest.fixture
def root(tmp_path: Path, done: str) -> str:
    return shutil.copytree(done, str(tmp_path / "lake"))


def _by_content(ratings: Mapping[str, Behaviour], otherwise: Behaviour) -> Behaviour:
    """Answers by what the prompt has in it."""

    async def behave(request: web.Request) -> web.StreamResponse:
        prompt = (await request.json())["messages"][-1]["content"]
        chosen = next((answer for word, answer in ratings.items() if word in prompt), otherwise)
        return await chosen(request)

    return behave


def _context(root: str, server: JudgeServer | None, sample: JudgeSamplePolicy = SAMPLE, **values: Any) -> Context:  # noqa: ANN401
    judge = (
        {} if server is None else {"judge_url": server.url, "judge_model": "Org/Judge-1", "judge_key": SecretStr(KEY)}
    )
    settings = Settings(**{"lake": root, "workers": 1, "judge_concurrency": 4, **judge, **values})
    policy = Policy(judge_sample=sample)
    return Context(lake_of(settings_of(root)), LocalEngine(1), settings, policy, "run")


def _ask(root: str, server: JudgeServer, sample: JudgeSamplePolicy = SAMPLE, **values: Any) -> Judged:  # noqa: ANN401
    return judge_files(_context(root, server, sample, **values))


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    with JudgeServer(rates(7)) as serving:
        yield serving


def test_as_many_files_of_each_language_are_asked_about_as_the_policy_says(root: str, server: JudgeServer):
    judged = _ask(root, server)
    assert judged.sampled == 11
    assert judged.by_language == {"Python": 7, "C": 4}
    assert (judged.stats.judged, judged.stats.cached, len(server.requests)) == (11, 0, 11)
    assert judged.rubric == "code_quality-1"
    assert judges(lake_of(settings_of(root))) == {(judged.judge, judged.rubric): 11}
    rows = rows_of_judgements(root)
    assert Counter(row["score"] for row in rows) == {7.0: 11}
    assert {(row["prompt_tokens"], row["completion_tokens"]) for row in rows} == {(100, 20)}
    assert (judged.stats.prompt_tokens, judged.stats.completion_tokens) == (1100, 220)


def rows_of_judgements(root: str) -> list[dict[str, Any]]:
    delta = lake_of(settings_of(root)).open(JUDGEMENTS)
    return [] if delta is None else delta.to_pyarrow_table().to_pylist()


def test_only_files_that_the_filters_before_keep_are_asked_about_and_each_content_once(root: str, server: JudgeServer):
    judged = _ask(root, server, JudgeSamplePolicy())
    assert judged.by_language == {"Python": PYTHON, "C": C}
    contents = [row["content_sha256"] for row in rows_of_judgements(root)]
    assert len(set(contents)) == len(contents) == len(server.requests) == PYTHON + C
    known = rows_of(lake_of(settings_of(root)), FILES)
    assert set(contents) <= set(known["content_sha256"])


def test_the_judge_is_given_the_files_text_and_its_language(root: str, server: JudgeServer):
    _ask(root, server, JudgeSamplePolicy())
    prompts = [request["messages"][-1]["content"] for request in server.requests]
    for seed in range(PYTHON):
        assert sum(python_source(seed, 25).strip() in prompt and "Python" in prompt for prompt in prompts) == 1


def test_a_second_run_asks_nothing_and_a_larger_sample_only_what_is_new(root: str, server: JudgeServer):
    _ask(root, server)
    again = _ask(root, server)
    assert len(server.requests) == 11
    assert (again.stats.judged, again.stats.cached, again.stats.requests, again.stats.prompt_tokens) == (11, 11, 0, 0)
    more = _ask(root, server, SAMPLE.model_copy(update={"per_language": 6}))
    assert (more.stats.judged, more.stats.cached, more.stats.requests) == (13, 11, 2)
    assert len(server.requests) == 13


def test_another_model_or_mode_is_another_judge(root: str, server: JudgeServer):
    _ask(root, server)
    _ask(root, server, judge_model="other")
    assert len(server.requests) == 22
    assert sorted(judges(lake_of(settings_of(root))).values()) == [11, 11]


def test_another_seed_is_another_sample(root: str, server: JudgeServer):
    _ask(root, server)
    other = _ask(root, server, SAMPLE.model_copy(update={"seed": 2}))
    assert 0 < other.stats.requests < 11


def test_answers_without_a_rating_are_counted_kept_and_not_paid_again(root: str):
    with JudgeServer(says("I would rather not say."), rates(11), rates(5)) as server:
        judged = _ask(root, server)
        assert sum(judged.stats.rejected.values()) == 2
        assert judged.stats.judged == 9
        assert sum(judged.by_language.values()) == 9
        assert set(judged.stats.rejected) == {"unparsable", "out_of_range"}
        rows = rows_of_judgements(root)
        assert sorted(row["reason"] for row in rows if row["score"] is None) == ["out_of_range", "unparsable"]
        asked = len(server.requests)
        assert _ask(root, server).stats.rejected == judged.stats.rejected
        assert len(server.requests) == asked
        labels = judged_labels(lake_of(settings_of(root)), _context(root, server).settings, SAMPLE)
        assert len(labels) == 9


def test_what_was_answered_before_the_key_is_refused_is_kept_and_the_key_is_never_shown(
    root: str, capfd: pytest.CaptureFixture[str]
):
    with JudgeServer(rates(3), rates(3), fails(401, f"bad key {KEY}")) as server, pytest.raises(WorkError) as caught:
        _ask(root, server, judge_concurrency=1)
    assert KEY not in str(caught.value)
    assert {headers["Authorization"] for headers in server.headers} == {f"Bearer {KEY}"}
    rows = rows_of_judgements(root)
    assert len(rows) == 2
    told = capfd.readouterr()
    assert KEY not in told.out + told.err + str(rows)
    assert not [path for path in Path(root).rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def test_judgements_are_labels_a_fixed_share_of_which_is_held_out(root: str):
    with JudgeServer(_by_content({"static int": rates(2)}, rates(8))) as server:
        context = _context(root, server, JudgeSamplePolicy(held_out=0.5))
        judge_files(context)
        labels = judged_labels(context.lake, context.settings, context.policy.judge_sample)
        assert Counter((label.language, label.score) for label in labels) == {("Python", 8.0): PYTHON, ("C", 2.0): C}
        splits = Counter(label.split for label in labels)
        assert 3 <= splits["held_out"] <= 15
        assert labels == judged_labels(context.lake, context.settings, context.policy.judge_sample)
        fewer = JudgeSamplePolicy(held_out=0.1)
        held_out = {
            each.sha256 for each in judged_labels(context.lake, context.settings, fewer) if each.split != "train"
        }
        assert held_out <= {label.sha256 for label in labels if label.split == "held_out"}
        assert {label.reason for label in labels} == {"It is as it is."}


def test_a_file_asked_about_at_two_lengths_is_one_label(root: str, tmp_path: Path, server: JudgeServer):
    make_repository(tmp_path / "long", {"long.py": python_source(99, 400)})
    run_flow(root, [str(tmp_path / "long")], name="long", workers=1)
    for most in (14_000, 15_000):
        context = _context(root, server, JudgeSamplePolicy(max_prompt_chars=most))
        judge_files(context)
    labels = judged_labels(context.lake, context.settings, context.policy.judge_sample)
    assert len({label.sha256 for label in labels}) == len(labels) == PYTHON + C + 1


def test_how_far_two_judges_agree_is_counted_on_what_both_judged(root: str):
    with (
        JudgeServer(_by_content({"static int": rates(2)}, rates(8))) as one,
        JudgeServer(_by_content({"static int": rates(3)}, rates(8))) as other,
    ):
        first = _ask(root, one, judge_model="a")
        second = _ask(root, other, JudgeSamplePolicy(), judge_model="b")
    lake = lake_of(settings_of(root))
    scores = [scores_of(lake, judged.judge, judged.rubric) for judged in (first, second)]
    found = agreement(*scores)
    assert found is not None
    assert (found.files, found.exact, found.within_one) == (11, pytest.approx(7 / 11), 1.0)
    assert found.mae == pytest.approx(4 / 11)
    assert found.pearson == pytest.approx(1.0)
    assert found.means == pytest.approx((64 / 11, 68 / 11))
    assert (found.confusion[2][3], found.confusion[8][8]) == (4, 7)
    assert agreement(scores[0], {}) is None


@pytest.mark.parametrize("values", [{}, {"judge_url": "http://127.0.0.1:9/v1"}, {"judge_model": "m"}])
def test_without_a_judge_it_is_said_what_to_set(done: str, values: dict[str, str]):
    with pytest.raises(UsageError, match=r"SEED_JUDGE_URL.*SEED_JUDGE_MODEL"):
        judge_files(_context(done, None, **values))
    with pytest.raises(UsageError, match=r"SEED_JUDGE_URL.*SEED_JUDGE_MODEL"):
        judged_labels(lake_of(settings_of(done)), _context(done, None, **values).settings, SAMPLE)


def test_a_lake_without_deduplicated_files_is_a_wrong_call(tmp_path: Path, server: JudgeServer):
    with pytest.raises(UsageError, match="no batch is deduplicated yet"):
        _ask(str(tmp_path / "lake"), server)
    assert server.requests == []
