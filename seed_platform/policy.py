"""The curation policy: every number that decides which documents a corpus holds, typed and hashed.

What belongs here: thresholds and choices about data. What does not: facts of a deployment (`settings.py`) and how a
filter works (`filters/`). A policy file is YAML with the same names; what it leaves out keeps its default, and every
section's hash is part of the fingerprint of what was computed under it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from seed_platform.commits.policy import CommitGatePolicy, CommitRulesPolicy
from seed_platform.commits.sample_policy import CommitSamplePolicy
from seed_platform.corpora.policy import LongContextPolicy, RepositoryLevelPolicy
from seed_platform.errors import UsageError
from seed_platform.filters.languages import LANGUAGES
from seed_platform.pages.policy import CodeRelevancePolicy, PageRulesPolicy, SiteQualityPolicy, WebPolicy
from seed_platform.scoring.high_quality.policy import HighQualityPolicy
from seed_platform.scoring.policy import FileQualityPolicy, JudgeSamplePolicy, QualityScorerPolicy
from seed_platform.section import Section

Ratio = Annotated[float, Field(ge=0, le=1)]


class RulesPolicy(Section):
    """The minimal rules of PAPER §2.1: is it text, is it code, is it written by a person."""

    max_bytes: int = Field(1 << 20, gt=0)
    """Largest file, in bytes. The largest hand-written files of well-known projects stay under 1 MiB."""
    max_line_length: int = Field(100_000, gt=0)
    """Longest line, in bytes; beyond it a file is data or minified whatever its name says."""
    drop_vendored: bool = True
    """Drop copies of other projects kept inside a repository (node_modules/, third_party/, …)."""
    drop_generated: bool = True
    """Drop files that say they were generated, lock files and minified files."""


PreferenceName = Literal["stars", "forks", "commits", "recency", "name"]
"""What one repository can be better than another in."""


class RepositoryDuplicatesPolicy(Section):
    """Which repositories are copies of a kept one, and which of several copies is kept. Reasons: decision 0006.

    Shares are of the distinct contents of a repository's files that the rules keep. All three limits must be reached.
    """

    overlap: float = Field(0.8, gt=0, le=1)
    """Least share of the bytes that must also be in the kept repository."""
    contents_overlap: float = Field(0.5, ge=0, le=1)
    """Least share of the number of contents, so that one large file that many embed makes nobody a copy."""
    shared_contents: int = Field(3, ge=1)
    """Least number of contents in common, so that a handful of files that everybody has makes nobody a copy."""
    prefer: tuple[PreferenceName, ...] = ("stars", "forks", "commits", "recency", "name")
    """What decides within a batch which copy is kept, the most important first: the most stars, forks and commits, the
    latest commit, the first name in the alphabet. Unknown counts least; the order in the batch decides last."""

    @field_validator("prefer")
    @classmethod
    def _each_once(cls, value: tuple[PreferenceName, ...]) -> tuple[PreferenceName, ...]:
        if len(set(value)) != len(value):
            raise ValueError("names something twice")
        return value


class NearDuplicatesPolicy(Section):
    """MinHash over word shingles, every removal verified. The paper names the method only; defaults: decision 0005."""

    shingle_words: int = Field(5, ge=1)
    """Words in a shingle."""
    permutations: int = Field(256, ge=16, le=1024)
    """Hash functions in a signature."""
    rows: int = Field(6, ge=1)
    """Signature values in a band. permutations // rows bands are compared."""
    threshold: float = Field(0.7, gt=0, le=1)
    """Least true Jaccard similarity to a kept document at which a document is dropped."""
    seed: int = Field(1, ge=0, lt=1 << 32)
    """Seed of the permutations."""

    @model_validator(mode="after")
    def _at_least_one_band(self) -> NearDuplicatesPolicy:
        if self.rows > self.permutations:
            raise ValueError(f"rows ({self.rows}) cannot exceed permutations ({self.permutations})")
        return self

    @property
    def bands(self) -> int:
        """How many bands a signature has."""
        return self.permutations // self.rows


# Measured by benchmarks/syntax_tolerance.py against each language's compiler or interpreter, or where there was none as
# the share of released files with errors; numbers and reasons: docs/decisions/0004-syntax-tolerance.md.
SYNTAX_TOLERANCES: dict[str, float] = {
    "C": 0.1,
    "C++": 0.1,
    "CMake": 0.0,
    "CSS": 0.005,
    "CUDA": 0.1,
    "Common Lisp": 0.001,
    "Erlang": 0.0,
    "Go": 0.0,
    "JSON": 0.0,
    "Java": 0.0,
    "JavaScript": 0.0,
    "Lua": 0.0,
    "Makefile": 0.0,
    "PHP": 0.0,
    "Perl": 0.001,
    "PowerShell": 0.02,
    "Python": 0.0,
    "Ruby": 0.0,
    "Rust": 0.0,
    "Shell": 0.0,
    "TypeScript": 0.0,
    "XSLT": 0.0,
    "YAML": 0.0,
}


class SyntaxPolicy(Section):
    """How much of a file the parser may fail on."""

    max_error_ratio: float = Field(0.02, ge=0, le=1)
    """Largest share of a file's bytes inside syntax errors, where the language has no entry below."""
    max_error_ratio_by_language: dict[str, Ratio] = Field(default_factory=SYNTAX_TOLERANCES.copy)
    """The same for one language; measured against compilers' verdicts by benchmarks/syntax_tolerance.py."""
    max_bytes: int = Field(1 << 20, gt=0)
    """Files larger than this are not parsed, and pass as "not_checked"."""
    cpu_seconds: float = Field(10.0, gt=0)
    """CPU time one parse may take before its process is killed and the file is quarantined."""

    @field_validator("max_error_ratio_by_language")
    @classmethod
    def _known_languages(cls, value: dict[str, float]) -> dict[str, float]:
        unknown = sorted(set(value) - set(LANGUAGES))
        if unknown:
            raise ValueError(f"not one of the {len(LANGUAGES)} languages: {', '.join(unknown)}")
        return value


FileFilterName = Literal["rules", "repository_duplicates", "exact_duplicates", "syntax", "near_duplicates", "quality"]
"""The filters over files. A name that is none of them would silently select nothing."""


class FileLevelPolicy(Section):
    """The file-level corpus: which filters a file must pass, in the order in which a drop is attributed."""

    filters: tuple[FileFilterName, ...] = (
        "rules",
        "repository_duplicates",
        "exact_duplicates",
        "syntax",
        "near_duplicates",
        "quality",
    )
    """The filters, cheapest first. Each looks at what those before it keep, so a corpus can leave out the last ones."""
    bytes_per_token: float = Field(3.5, gt=0)
    """For the token estimates that reports show until a tokenizer counts them."""

    @field_validator("filters")
    @classmethod
    def _first_of_the_chain(cls, value: tuple[FileFilterName, ...]) -> tuple[FileFilterName, ...]:
        chain = get_args(FileFilterName)
        if not value or value != chain[: len(value)]:
            raise ValueError(f"must be the first one or more of {', '.join(chain)}, in this order")
        return value


class Policy(Section):
    """All sections, one per filter and one per corpus."""

    version: int = Field(1, ge=1, le=1)
    """Version of this schema."""
    rules: RulesPolicy = RulesPolicy()
    repository_duplicates: RepositoryDuplicatesPolicy = RepositoryDuplicatesPolicy()
    near_duplicates: NearDuplicatesPolicy = NearDuplicatesPolicy()
    syntax: SyntaxPolicy = SyntaxPolicy()
    file_level: FileLevelPolicy = FileLevelPolicy()
    repository_level: RepositoryLevelPolicy = RepositoryLevelPolicy()
    commit_gate: CommitGatePolicy = CommitGatePolicy()
    commit_rules: CommitRulesPolicy = CommitRulesPolicy()
    commit_near_duplicates: NearDuplicatesPolicy = NearDuplicatesPolicy()
    commit_samples: CommitSamplePolicy = CommitSamplePolicy()
    judge_sample: JudgeSamplePolicy = JudgeSamplePolicy()
    quality_scorer: QualityScorerPolicy = QualityScorerPolicy()
    file_quality: FileQualityPolicy = FileQualityPolicy()
    page_rules: PageRulesPolicy = PageRulesPolicy()
    page_near_duplicates: NearDuplicatesPolicy = NearDuplicatesPolicy()
    code_relevance: CodeRelevancePolicy = CodeRelevancePolicy()
    site_quality: SiteQualityPolicy = SiteQualityPolicy()
    web: WebPolicy = WebPolicy()
    high_quality: HighQualityPolicy = HighQualityPolicy()
    long_context: LongContextPolicy = LongContextPolicy()


def load_policy(path: Path | None) -> Policy:
    """The policy in `path`, or the defaults if it is None.

    Raises:
        UsageError: the file is missing, is not YAML, or has a wrong field; names the line and the field.
    """
    if path is None:
        return Policy()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the policy {path}: {error}") from error
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}:" if mark else ""
        raise UsageError(f"{path}:{line} not YAML: {getattr(error, 'problem', error)}") from error
    if values is None:
        return Policy()
    try:
        return Policy.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "(top level)"
        raise UsageError(f"{path}: line {_line_of(tree, first['loc'])}: {field}: {first['msg']}") from error


def _line_of(node: yaml.Node | None, location: tuple[int | str, ...]) -> int:
    """The 1-based line of the field at `location`, or of the innermost part of it that the file has."""
    line = node.start_mark.line if node is not None else 0
    for part in location:
        child: tuple[Any, yaml.Node] | None = None
        if isinstance(node, yaml.MappingNode):
            child = next(((key, value) for key, value in node.value if key.value == str(part)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            child = (node.value[part], node.value[part])
        if child is None:
            break
        line, node = child[0].start_mark.line, child[1]
    return line + 1
