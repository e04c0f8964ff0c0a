import json
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from seed_platform.errors import UsageError
from seed_platform.judging.labels import Label, join_labels, read_labels, shipped, write_labels

ONE = Label("pypi:one==1.0", "a.py", "a" * 64, "Python", 10, 7, "clear", "train")
TWO = Label("pypi:one==1.0", "b.py", "b" * 64, "Python", 20, 0, "data — ütf-8", "held_out", 1)


def test_the_shipped_labels_cover_what_is_promised_of_them():
    labels = shipped()
    assert len(labels) >= 600
    assert len({label.language for label in labels}) >= 12
    assert len({label.sha256 for label in labels}) == len(labels)
    assert all(label.package.startswith("pypi:") and "==" in label.package and label.reason for label in labels)
    share = Counter(label.split for label in labels)["train"] / len(labels)
    assert 0.6 < share < 0.8
    assert {label.score for label in labels} >= set(range(9))


def test_no_folder_of_a_package_is_in_both_splits():
    folders: dict[tuple[str, str], set[str]] = {}
    for label in shipped():
        folders.setdefault((label.package, label.path.rpartition("/")[0]), set()).add(label.split)
    assert {len(splits) for splits in folders.values()} == {1}


def test_labels_that_are_not_shipped_are_named():
    with pytest.raises(UsageError, match="code_quality-99"):
        shipped(version=99)


def test_what_is_written_is_read_again(tmp_path: Path):
    write_labels([ONE, TWO], tmp_path / "labels.jsonl")
    assert read_labels(tmp_path / "labels.jsonl") == [ONE, TWO]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"score": 11}, "score 11"),
        ({"score": -1}, "score -1"),
        ({"score": float("nan")}, "score nan"),
        ({"score": True}, "score is True"),
        ({"score": "7"}, "score is '7'"),
        ({"second_score": 12}, "second_score 12"),
        ({"split": "test"}, "split 'test'"),
        ({"sha256": "A" * 64}, "not 64 hex digits"),
        ({"colour": "red"}, "unknown keys ..colour"),
        ({"path": None}, "path is None"),
    ],
)
def test_a_line_that_is_no_label_is_named_with_what_is_wrong(tmp_path: Path, change: dict[str, object], says: str):
    file = tmp_path / "labels.jsonl"
    write_labels([ONE], file)
    values = json.loads(file.read_text())
    file.write_text(file.read_text() + "\n" + json.dumps(values | {"sha256": "c" * 64} | change))
    with pytest.raises(UsageError, match=f"line 3: .*{says}"):
        read_labels(file)


def test_other_faults_of_a_file_of_labels_are_named(tmp_path: Path):
    with pytest.raises(UsageError, match="cannot read"):
        read_labels(tmp_path / "none.jsonl")
    for text, says in (
        (b"{", "line 1: not JSON"),
        (b"[]", "not an object"),
        (b"{}", "missing keys"),
        (b"\xff", "cannot"),
    ):
        (tmp_path / "bad.jsonl").write_bytes(text)
        with pytest.raises(UsageError, match=says):
            read_labels(tmp_path / "bad.jsonl")
    write_labels([ONE, TWO, ONE], tmp_path / "twice.jsonl")
    with pytest.raises(UsageError, match="line 3: the same file as in line 1"):
        read_labels(tmp_path / "twice.jsonl")


def test_labels_join_documents_by_hash_and_each_content_once():
    documents = pl.DataFrame(
        {"doc_id": ["1", "2", "3", "4"], "content_sha256": ["b" * 64, "c" * 64, "a" * 64, "b" * 64]}
    )
    joined = join_labels(documents, [ONE, TWO])
    assert joined["doc_id"].to_list() == ["1", "3"]
    assert joined["score"].to_list() == [0.0, 7.0]
    assert joined["split"].to_list() == ["held_out", "train"]
    assert join_labels(documents, []).is_empty()
    assert join_labels(documents.clear(), [ONE]).is_empty()
