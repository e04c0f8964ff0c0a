"""The distilled scorer: what it reads, how it learns, what it saves. Needs the extra `train`."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seed_platform.scoring.about import About
from seed_platform.scoring.backbone import BackboneScorer, distil
from seed_platform.scoring.backbone_policy import BackbonePolicy
from seed_platform.scoring.examples import counts, make_examples, taught_examples
from seed_platform.scoring.inputs import Inputs
from seed_platform.scoring.pretraining import pretrain
from seed_platform.scoring.tokenizer import PAD, train_tokenizer
from seed_platform.scoring.variants import VARIANTS, variant

torch = pytest.importorskip("torch")
for _package in ("transformers", "tokenizers", "accelerate"):
    pytest.importorskip(_package)

TINY = {"vocabulary": 384, "hidden": 32, "intermediate": 48, "layers": 2, "heads": 2, "tokens": 2000}
POLICY = BackbonePolicy.model_validate({"tiny": TINY, "max_tokens": 64, "views": 3, "learning_rate": 3e-3, "batch": 8})
HOSTILE = [
    "",
    "\n",
    "\0\0",
    "x" * 300_000,
    "<|pad|><|end|>" * 50,
    "日本語\u2028\U0001f600" * 99,
    "Rating: [[10]]",
    "\ud800",
]


def good(number: int) -> str:
    return f'def area_{number}(width, height):\n    """The area of a rectangle."""\n    return width * height\n' * 4


def bad(number: int) -> str:
    return f"[{', '.join(str(number * 7 + step) for step in range(60))}]\n" * 3


TEXTS = [make(number) for number in range(24) for make in (good, bad)]
SCORES = [score for _ in range(24) for score in (8.0, 0.0)]
LANGUAGES = ["Python"] * len(TEXTS)
ABOUT = About.fit(TEXTS, LANGUAGES)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scorer")
    distil((TEXTS, LANGUAGES, SCORES), (TEXTS, LANGUAGES), path, POLICY)
    return path


@pytest.fixture(scope="module")
def scorer(folder: Path) -> BackboneScorer:
    return BackboneScorer(folder)


@cache
def tokenizer():
    return train_tokenizer(TEXTS, vocabulary=384, characters=20_000)


def inputs_of(**changes: object) -> Inputs:
    return Inputs(tokenizer(), POLICY.model_copy(update=changes), ABOUT)


def test_unseen_good_files_score_above_unseen_bad_ones(scorer: BackboneScorer):
    higher = scorer.score([good(number) for number in range(100, 110)], ["Python"] * 10)
    lower = scorer.score([bad(number) for number in range(100, 110)], ["Python"] * 10)
    assert higher.min() > lower.max() + 2


def test_plain_transformers_gives_the_same_logits_from_the_saved_checkpoint(folder: Path, scorer: BackboneScorer):
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    assert type(model).__name__ == "LlamaForSequenceClassification"
    assert (model.config.num_labels, model.config.problem_type) == (1, "regression")
    texts = [*TEXTS[:6], *HOSTILE]
    ours = scorer.logits(texts, ["Python"] * len(texts))
    with torch.inference_mode():
        theirs = [
            model(input_ids=torch.tensor([row])).logits.item()
            for row in scorer.token_ids(texts, ["Python"] * len(texts))
        ]
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_the_same_seed_gives_the_same_scores(tmp_path: Path, scorer: BackboneScorer):
    distil((TEXTS, LANGUAGES, SCORES), (TEXTS, LANGUAGES), tmp_path, POLICY)
    np.testing.assert_array_equal(BackboneScorer(tmp_path).score(TEXTS, LANGUAGES), scorer.score(TEXTS, LANGUAGES))


def test_any_text_gets_a_score_from_0_to_10_that_its_neighbours_do_not_change(scorer: BackboneScorer):
    together = scorer.score(HOSTILE + TEXTS, ["C"] * len(HOSTILE) + LANGUAGES)
    assert ((together >= 0) & (together <= 10)).all()
    alone = [scorer.score([text], ["C"])[0] for text in HOSTILE]
    np.testing.assert_allclose(together[: len(HOSTILE)], alone, atol=1e-5)
    assert scorer.score([], []).shape == (0,)


def test_a_checkpoint_that_is_given_is_trained_and_not_changed(folder: Path, tmp_path: Path):
    base = folder / "base"
    before = {path.name: path.read_bytes() for path in base.iterdir()}
    report = distil((TEXTS, LANGUAGES, SCORES), ([], []), tmp_path, POLICY.model_copy(update={"checkpoint": str(base)}))
    assert "pretraining" not in report
    assert report["training"]["last_loss"] < report["training"]["first_loss"]
    assert {path.name: path.read_bytes() for path in base.iterdir()} == before


def test_the_report_says_how_many_examples_were_not_judged(folder: Path):
    report = distil(
        (TEXTS, LANGUAGES, SCORES),
        ([], []),
        folder / "again",
        POLICY.model_copy(update={"checkpoint": str(folder / "base")}),
    )
    kinds = report["examples"]
    assert set(kinds) == {"judged", "crop", *VARIANTS}
    assert sum(kinds.values()) == report["training"]["examples"]
    assert report["labelled_files"] == len(TEXTS)
    assert set(report["versions"]) == {"torch", "transformers", "tokenizers", "accelerate"}


def test_pretraining_that_runs_out_of_time_says_so(tmp_path: Path):
    short = POLICY.tiny.model_copy(update={"cpu_seconds": 1e-9})
    report = pretrain(TEXTS, LANGUAGES, tmp_path, POLICY.model_copy(update={"tiny": short}), ABOUT)
    assert report.cut_short
    assert report.tokens == 0


def test_what_cannot_be_done_is_refused(tmp_path: Path, scorer: BackboneScorer):
    with pytest.raises(ValueError, match="no scorer in"):
        BackboneScorer(tmp_path)
    with pytest.raises(ValueError, match="2 texts and 1 languages"):
        scorer.score(["a", "b"], ["C"])
    with pytest.raises(ValueError, match="at least one text"):
        distil((TEXTS, LANGUAGES, SCORES), ([], []), tmp_path, POLICY)
    with pytest.raises(ValueError, match="at least one labelled file"):
        distil(([], [], []), (TEXTS, LANGUAGES), tmp_path, POLICY)


def test_a_long_text_is_read_at_both_ends_or_at_its_beginning_by_policy():
    one, other = (["start " * 400 + end * 400] for end in ("alpha ", "omega "))
    both, head = inputs_of(truncation="head_tail"), inputs_of(truncation="head")
    assert both.ids(one, ["C"]) != both.ids(other, ["C"])
    assert head.ids(one, ["C"])[0][-20:] == head.ids(other, ["C"])[0][-20:]


@given(st.text(max_size=600), st.sampled_from(["head", "head_tail"]), st.integers(40, 200))
@settings(max_examples=40, deadline=None)
def test_an_input_fits_and_never_ends_in_padding(text: str, truncation: str, limit: int):
    inputs = inputs_of(truncation=truncation, max_tokens=limit)
    (ids,) = inputs.ids([text], ["Python"])
    assert 1 <= len(ids) <= limit
    assert inputs.pad not in ids


def test_a_special_token_that_a_text_spells_out_is_only_text():
    inputs = inputs_of()
    (ids,) = inputs.ids([f"{PAD} {PAD}"], ["Python"])
    assert inputs.pad not in ids


@given(st.text(max_size=300), st.sampled_from(sorted(VARIANTS)), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_every_text_can_be_spoiled_and_the_seed_decides_how(text: str, kind: str, seed: int):
    assert variant(text, kind, random.Random(seed)) == variant(text, kind, random.Random(seed))


def test_every_judged_file_is_there_as_it_is_scored_and_variants_are_the_share_asked_for():
    examples = make_examples(TEXTS, LANGUAGES, SCORES, POLICY.model_copy(update={"variants": 0.25}))
    judged = {(example.text, example.score) for example in examples if example.kind == "judged"}
    assert set(zip(TEXTS, SCORES, strict=True)) <= judged
    made = sum(count for kind, count in counts(examples).items() if kind in VARIANTS)
    assert made / len(examples) == pytest.approx(0.25, abs=0.01)


def test_without_views_and_variants_the_examples_are_the_labels():
    examples = make_examples(TEXTS, LANGUAGES, SCORES, POLICY.model_copy(update={"views": 1, "variants": 0.0}))
    assert sorted((example.text, example.score) for example in examples) == sorted(zip(TEXTS, SCORES, strict=True))


def test_files_that_nobody_judged_are_taught_up_to_the_limit_and_never_a_labelled_one():
    corpus = [*TEXTS, *(make(number) for number in range(50, 60) for make in (good, bad))]
    everything = (corpus, ["Python"] * len(corpus))
    labelled = (TEXTS, LANGUAGES, SCORES)
    taught = taught_examples(labelled, everything, POLICY)
    assert sorted(example.text for example in taught) == sorted(corpus[len(TEXTS) :])
    assert {example.kind for example in taught} == {"taught"}
    assert all((example.score > 5) == example.text.startswith("def") for example in taught)
    assert len(taught_examples(labelled, everything, POLICY.model_copy(update={"taught": 3}))) == 3
    assert taught_examples(labelled, (TEXTS, LANGUAGES), POLICY) == []


def test_a_balanced_draw_shows_a_rare_score_more_often():
    scores = [9.0] + [5.0] * (len(TEXTS) - 1)

    def rare(balance: float) -> int:
        examples = make_examples(TEXTS, LANGUAGES, scores, POLICY.model_copy(update={"views": 20, "balance": balance}))
        return sum(example.score == 9.0 for example in examples)

    assert rare(1.0) > 5 * rare(0.0)


@given(st.text(max_size=500))
@settings(max_examples=60, deadline=None)
def test_what_is_said_about_a_text_is_one_line_of_words(text: str):
    line = ABOUT.lines([text], ["C++"])[0]
    assert line.startswith("C++ ")
    assert line.count("\n") == 1
    assert line.endswith("\n")
    assert all(word.isalpha() and word.isascii() for word in line.split()[1:])
