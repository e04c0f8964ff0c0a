"""The policy file: what is wrong with it is named by line and field, and any change of it changes its digest."""

from __future__ import annotations

from pathlib import Path

import pytest

from seed_platform.errors import UsageError
from seed_platform.policy import Policy, load_policy


def _load(tmp_path: Path, text: str | bytes) -> Policy:
    path = tmp_path / "policy.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_policy(path)


@pytest.mark.parametrize(
    ("text", "line", "field"),
    [
        ("rules:\n  max_bytes: 0\n", 2, "rules.max_bytes"),
        ("# note\n\nrules:\n  drop_vendored: true\n  max_bytes: much\n", 5, "rules.max_bytes"),
        ("near_duplicates:\n  threshold: 1.5\n", 2, "near_duplicates.threshold"),
        ("near_duplicates:\n  threshold: .nan\n", 2, "near_duplicates.threshold"),
        ("near_duplicates:\n  seed: 4294967296\n", 2, "near_duplicates.seed"),
        ("near_duplicates: {permutations: 16,\n  rows: 17}\n", 1, "near_duplicates"),
        ("rules: {}\nnear_duplicate:\n  threshold: 0.5\n", 2, "near_duplicate"),
        ("near_duplicates:\n  treshold: 0.5\n", 2, "near_duplicates.treshold"),
        (
            "syntax:\n  max_error_ratio_by_language:\n    C: 0.1\n    Python: x\n",
            4,
            "max_error_ratio_by_language.Python",
        ),
        ("file_level:\n  filters:\n    - rules\n    - sintax\n", 4, "file_level.filters.1"),
        ("file_level:\n  filters: rules\n", 2, "file_level.filters"),
        ("repository_duplicates:\n  overlap: 0\n", 2, "repository_duplicates.overlap"),
        ("repository_duplicates:\n  prefer: [stars, fame]\n", 2, "repository_duplicates.prefer.1"),
        ("repository_duplicates:\n  prefer: [stars, stars]\n", 2, "repository_duplicates.prefer"),
        ("rules: 7\n", 1, "rules"),
        ("version: 2\n", 1, "version"),
        ("judge_sample:\n  held_out: 1\n", 2, "judge_sample.held_out"),
        ("quality_scorer:\n  backend: forest\n", 2, "quality_scorer.backend"),
        ("file_quality:\n  drop_percentile: 101\n", 2, "file_quality.drop_percentile"),
        ("file_quality:\n  drop_percentile: .nan\n", 2, "file_quality.drop_percentile"),
        ("- rules\n", 1, "(top level)"),
        ("rules\n", 1, "(top level)"),
    ],
)
def test_a_wrong_field_is_named_with_its_line(tmp_path: Path, text: str, line: int, field: str):
    with pytest.raises(UsageError) as caught:
        _load(tmp_path, text)
    message = str(caught.value)
    assert f"policy.yaml: line {line}: " in message
    assert field in message


@pytest.mark.parametrize(
    "text", ["rules: [1\n", "a: b: c\n", "\trules: {}\n", b"\xff\xfe\xff", b"rules: \x01\n", "{" * 40]
)
def test_what_is_not_yaml_is_said_to_be_so(tmp_path: Path, text: str | bytes):
    with pytest.raises(UsageError, match=r"policy\.yaml"):
        _load(tmp_path, text)


def test_text_that_is_not_yaml_is_named_by_line(tmp_path: Path):
    with pytest.raises(UsageError, match=r"policy\.yaml: line 2: not YAML"):
        _load(tmp_path, "rules: {}\nsyntax: ]\n")


def test_a_missing_file_is_a_wrong_call(tmp_path: Path):
    with pytest.raises(UsageError, match="cannot read the policy"):
        load_policy(tmp_path / "none.yaml")


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}\n", "rules: {}\n", "near_duplicates:\n  threshold: 0.7\n"])
def test_what_is_left_out_keeps_its_default(tmp_path: Path, text: str):
    assert _load(tmp_path, text) == Policy()
    assert _load(tmp_path, text).digest() == Policy().digest()


_CHANGES = [
    ("rules", "max_bytes", 1),
    ("rules", "max_line_length", 1),
    ("rules", "drop_vendored", False),
    ("rules", "drop_generated", False),
    ("repository_duplicates", "overlap", 0.9),
    ("repository_duplicates", "contents_overlap", 0.0),
    ("repository_duplicates", "shared_contents", 1),
    ("repository_duplicates", "prefer", ["name"]),
    ("near_duplicates", "shingle_words", 4),
    ("near_duplicates", "permutations", 128),
    ("near_duplicates", "rows", 5),
    ("near_duplicates", "threshold", 0.71),
    ("near_duplicates", "seed", 2),
    ("syntax", "max_error_ratio", 0.01),
    ("syntax", "max_error_ratio_by_language", {"C": 0.02}),
    ("syntax", "max_bytes", 1),
    ("syntax", "cpu_seconds", 1.0),
    ("file_level", "filters", ["rules"]),
    ("file_level", "bytes_per_token", 4.0),
    ("repository_level", "min_quality", 0.45),
    ("repository_level", "min_files", 3),
    ("repository_level", "sequence_tokens", 32_769),
    ("repository_level", "bytes_per_token", 3.15),
    ("commit_gate", "stars", 101),
    ("commit_gate", "forks", 11),
    ("commit_gate", "commits", 101),
    ("commit_gate", "active_days", 101),
    ("commit_gate", "waive_unknown", ["stars"]),
    ("commit_rules", "drop_bots", False),
    ("commit_rules", "max_root_paths", 6),
    ("commit_rules", "max_files", 33),
    ("commit_rules", "max_patch_bytes", 131_073),
    ("commit_rules", "drop_vendored", False),
    ("commit_rules", "drop_generated", False),
    ("commit_rules", "drop_reverts", False),
    ("commit_rules", "drop_formatting", False),
    ("commit_rules", "max_version_lines", 41),
    ("commit_rules", "min_message_words", 3),
    ("commit_rules", "min_telling_words", 2),
    ("commit_rules", "first_year", 1991),
    ("commit_rules", "last_year", 2038),
    ("commit_near_duplicates", "shingle_words", 4),
    ("commit_near_duplicates", "permutations", 128),
    ("commit_near_duplicates", "rows", 5),
    ("commit_near_duplicates", "threshold", 0.71),
    ("commit_near_duplicates", "seed", 2),
    ("commit_samples", "max_tokens", 32_769),
    ("commit_samples", "bytes_per_token", 3.15),
    ("commit_samples", "readme_tokens", 4097),
    ("commit_samples", "tree_tokens", 4097),
    ("commit_samples", "file_tokens", 16_385),
    ("commit_samples", "relevant_files", 6),
    ("commit_samples", "show_modified", False),
    ("commit_samples", "query", ["message", "readme"]),
    ("commit_samples", "document", ["path"]),
    ("commit_samples", "k1", 1.35),
    ("commit_samples", "b", 0.675),
    ("commit_samples", "max_indexed_bytes", 262_145),
    ("commit_samples", "max_snapshot_bytes", 268_435_457),
    ("long_context", "steps", [4096]),
    ("long_context", "min_tokens", 2049),
    ("long_context", "shares", {"files": 1.0}),
    ("long_context", "seed", 2),
    ("judge_sample", "rubric", "other_quality"),
    ("judge_sample", "rubric_version", 2),
    ("judge_sample", "per_language", 10_001),
    ("judge_sample", "per_language_of", {"Python": 10_000}),
    ("judge_sample", "max_prompt_chars", 24_001),
    ("judge_sample", "held_out", 0.4),
    ("judge_sample", "seed", 2),
    ("quality_scorer", "backend", "fast_text"),
    ("quality_scorer", "min_labels", 201),
    ("quality_scorer", "seed", 2),
    ("high_quality", "sources", ["general"]),
    ("high_quality", "major_languages", ["Python"]),
    ("high_quality", "rounds", 2),
    ("high_quality", "seeds", 100001),
    ("high_quality", "seed_share", 0.6),
    ("high_quality", "seed_quantile", 0.9),
    ("high_quality", "least_seed_score", 5.1),
    ("high_quality", "min_seeds", 11),
    ("high_quality", "negatives_ratio", 2.1),
    ("high_quality", "hard_share", 0.4),
    ("high_quality", "bad_quantile", 0.4),
    ("high_quality", "accept_quantile", 0.75),
    ("high_quality", "least_accept_score", 4.1),
    ("high_quality", "min_probability", 0.6),
    ("high_quality", "held_out", 0.3),
    ("high_quality", "text_words", 401),
    ("high_quality", "dim", 100),
    ("high_quality", "word_ngrams", 3),
    ("high_quality", "epoch", 11),
    ("high_quality", "min_updates", 10001),
    ("high_quality", "lr", 0.9),
    ("high_quality", "bucket", 300_000),
    ("high_quality", "min_count", 4),
    ("high_quality", "seed", 2),
    ("file_quality", "drop_percentile", 10.5),
    ("file_quality", "per_language", True),
    ("file_quality", "min_files", 201),
    ("page_rules", "min_words", 11),
    ("page_rules", "max_link_share", 0.9),
    ("page_rules", "max_repeated_lines", 0.6),
    ("page_rules", "max_broken_characters", 0.1),
    ("page_rules", "placeholder_words", 100),
    ("page_rules", "languages", ["en"]),
    ("page_near_duplicates", "shingle_words", 4),
    ("page_near_duplicates", "permutations", 128),
    ("page_near_duplicates", "rows", 5),
    ("page_near_duplicates", "threshold", 0.71),
    ("page_near_duplicates", "seed", 2),
    ("code_relevance", "min_recall", 0.95),
    ("code_relevance", "held_out", 0.4),
    ("code_relevance", "min_pages", 60),
    ("code_relevance", "dim", 128),
    ("code_relevance", "word_ngrams", 3),
    ("code_relevance", "epoch", 10),
    ("code_relevance", "lr", 0.4),
    ("code_relevance", "bucket", 300_000),
    ("code_relevance", "min_count", 1),
    ("code_relevance", "sample", 50_000),
    ("code_relevance", "text_words", 500),
    ("code_relevance", "seed", 2),
    ("site_quality", "categories", {"shop": {"threshold": 0.7, "rate": 0.2}}),
    ("site_quality", "seed", 1),
    ("web", "filters", ["rules"]),
    ("web", "bytes_per_token", 3.5),
]


@pytest.mark.parametrize(("section", "field", "value"), _CHANGES)
def test_the_digest_changes_with_any_value_and_only_that_sections(section: str, field: str, value: object):
    changed = Policy.model_validate({section: {field: value}})
    assert changed.digest() != Policy().digest()
    for name in sorted(set(Policy.model_fields) - {"version"}):
        same = getattr(changed, name).digest() == getattr(Policy(), name).digest()
        assert same == (name != section)


def test_every_field_of_every_section_is_among_the_changes_above():
    sections = {name: getattr(Policy(), name) for name in Policy.model_fields if name != "version"}
    fields = {(name, field) for name, section in sections.items() for field in type(section).model_fields}
    fields.remove(("commit_samples", "template"))  # there is one template only
    assert fields == {(section, field) for section, field, _ in _CHANGES}


def test_a_policy_cannot_be_changed_after_it_was_hashed():
    with pytest.raises(ValueError, match="frozen"):
        Policy().rules.max_bytes = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    "filters", ["[]", "[syntax]", "[rules, syntax]", "[rules, rules]", "[rules, exact_duplicates]", "[rules, quality]"]
)
def test_a_corpus_takes_the_first_filters_of_the_chain_and_no_others(tmp_path: Path, filters: str):
    path = tmp_path / "policy.yaml"
    path.write_text(f"file_level:\n  filters: {filters}\n")
    with pytest.raises(UsageError, match=r"line 2: file_level\.filters"):
        load_policy(path)


def test_a_language_that_is_none_of_the_89_is_refused(tmp_path: Path):
    path = tmp_path / "policy.yaml"
    path.write_text("syntax:\n  max_error_ratio_by_language: {Cobol: 0.1}\n")
    with pytest.raises(UsageError, match="Cobol"):
        load_policy(path)
