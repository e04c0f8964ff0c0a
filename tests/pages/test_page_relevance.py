import multiprocessing
import pickle
import random
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from seed_platform.errors import UsageError, WorkError
from seed_platform.pages.policy import CodeRelevancePolicy
from seed_platform.pages.relevance import Scorer, embedded_gold, shown, train

POLICY = CodeRelevancePolicy(epoch=40, bucket=90_000, min_count=1, min_pages=20)
CODE = ["function", "compiler", "variable", "class", "method", "string", "array", "python", "library", "thread"]
OTHER = ["garden", "recipe", "butter", "weather", "election", "football", "travel", "hotel", "music", "dinner"]
BOTH = ["the", "a", "of", "and", "to", "in", "is", "we", "it", "that"]


def gold(pages: int = 200, hosts: int = 20, shuffle: int = 0) -> pl.DataFrame:
    draw = random.Random(7)
    rows = []
    for number in range(pages):
        is_code = number % 2 == 0
        words = draw.choices(BOTH, k=20) + draw.choices(CODE if is_code else OTHER, k=5)
        rows.append((f"{number:032x}", f"https://h{number // 2 % hosts}.org/{number}", " ".join(words), is_code))
    random.Random(shuffle).shuffle(rows)
    return pl.DataFrame(rows, schema=["doc_id", "url", "text", "code_related"], orient="row")


def test_a_model_finds_code_pages_of_hosts_it_has_not_seen(tmp_path: Path):
    found = train(gold(), POLICY, tmp_path / "model.bin")
    assert found.split_by == "host"
    assert found.recall >= POLICY.min_recall
    assert found.precision > 0.9
    assert sum(found.trained_on) + sum(found.held_out) == 200
    recalls = [point.recall for point in found.curve]
    assert recalls == sorted(recalls)
    assert recalls[-1] == 1.0
    scores = Scorer(found.path, POLICY.text_words).score(["a python class", "butter in the garden", ""])
    assert scores[0] >= found.threshold > scores[1]
    assert ((scores >= 0) & (scores <= 1)).all()
    assert [file.name for file in tmp_path.iterdir()] == ["model.bin"]


def _train_alone(path: Path, shuffle: int) -> None:
    train(gold(shuffle=shuffle) if shuffle else gold(), POLICY, path)


def test_the_same_pages_in_any_order_give_the_same_bytes(tmp_path: Path):
    # Each in a process of its own, as `seed train` is: fastText starts from memory that it does not set to zero.
    for name, shuffle in (("one.bin", 0), ("two.bin", 5)):
        process = multiprocessing.get_context("spawn").Process(target=_train_alone, args=(tmp_path / name, shuffle))
        process.start()
        process.join()
        assert process.exitcode == 0
    assert (tmp_path / "one.bin").read_bytes() == (tmp_path / "two.bin").read_bytes()


def test_one_large_host_is_split_by_document(tmp_path: Path):
    found = train(gold(hosts=1), POLICY, tmp_path / "model.bin")
    assert found.split_by == "doc_id"
    assert min(found.held_out) > 10


def test_too_few_pages_of_a_class_say_how_many_and_what_to_do(tmp_path: Path):
    few = gold().filter(~pl.col("code_related") | (pl.col("doc_id") < f"{10:032x}"))
    with pytest.raises(UsageError, match=r"5 are about code and 100 are not.*at least 20.*min_pages"):
        train(few, POLICY, tmp_path / "model.bin")
    assert list(tmp_path.iterdir()) == []


def test_a_learning_rate_that_diverges_is_halved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import fasttext

    real, tried = fasttext.train_supervised, []

    def fragile(*args: object, **options: float) -> object:
        tried.append(options["lr"])
        if len(tried) < 3:
            raise RuntimeError("Encountered NaN.")
        return real(*args, **options)

    monkeypatch.setattr(fasttext, "train_supervised", fragile)
    assert train(gold(), POLICY, tmp_path / "model.bin").lr == tried[0] / 4
    monkeypatch.setattr(
        fasttext, "train_supervised", lambda *_, **__: (_ for _ in ()).throw(RuntimeError("Encountered NaN."))
    )
    with pytest.raises(WorkError, match=r"code_relevance\.lr"):
        train(gold(), POLICY, tmp_path / "other.bin")
    assert not (tmp_path / "other.bin").exists()


def test_a_model_small_enough_to_depend_on_chance_is_refused():
    with pytest.raises(ValueError, match="dim \\* bucket"):
        CodeRelevancePolicy(dim=16, bucket=20_000)


def test_code_blocks_and_markup_are_not_shown():
    text = "# Use\n\n```python\nsecret = 1\n```\nCall `open` on [a file](https://secret.org).\n~~~\nsecret\n"
    assert shown(text, 100) == "use call open on a file ."


def test_a_long_page_is_cut_and_a_script_without_spaces_is_split():
    assert shown("word " * 5000, 10).split() == ["word"] * 10
    assert shown("用户 x", 10) == "用 户 x"


def test_newlines_do_not_hide_the_rest_and_scores_do_not_depend_on_company(tmp_path: Path):
    path = train(gold(), POLICY, tmp_path / "model.bin").path
    scorer = Scorer(path, POLICY.text_words)
    alone = scorer.score(["\n\nthe\rpython\u2028class\x00 method"])
    together = scorer.score(["butter", "\n\nthe\rpython\u2028class\x00 method", ""])
    assert alone[0] == together[1] > 0.5
    assert scorer.score([]).shape == (0,)
    again = pickle.loads(pickle.dumps(scorer))
    assert np.array_equal(again.score(["python"]), scorer.score(["python"]))


def test_a_file_that_is_no_model_is_named(tmp_path: Path):
    (tmp_path / "model.bin").write_bytes(b"no model")
    with pytest.raises(WorkError, match=r"model\.bin"):
        Scorer(tmp_path / "model.bin", 100).score(["a"])


def test_gold_labels_without_a_judge_leave_doubtful_pages_out():
    rows = [
        ("1", True, 2, "forum", True), ("2", True, 0, "news", None), ("3", False, 0, "news", False),
        ("4", False, 0, "documentation", None), ("5", False, 0, "shop", False),
    ]  # fmt: skip
    pages = pl.DataFrame(rows, schema=["doc_id", "explicit", "code_blocks", "category", "expected"], orient="row")
    found = embedded_gold(pages.with_columns(url=pl.lit(""), text=pl.lit("")))
    assert dict(found.select("doc_id", "code_related").rows()) == {"1": True, "3": False, "5": False}


@pytest.mark.parametrize("text", ["](x" * 40_000, "`" * 120_000, "](" * 60_000])
def test_the_time_that_a_page_takes_to_be_shown_grows_with_its_length_alone(text: str):
    before = time.process_time()
    shown(text, 10_000)
    assert time.process_time() - before < 2


def test_addresses_of_links_are_not_shown_and_what_is_none_is():
    assert shown("see [this](http://a.org/b) and a](b c", 20) == "see this and a ( b c"
