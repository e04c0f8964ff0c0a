"""The rounds: train on seeds against negatives, score every file, let what is found join the seeds (PAPER §5).

What belongs here: the passes over the files and the order of the steps. What does not: what is decided for a source
(`source_rounds.py`). However many files there are, memory holds a chunk of them, the reservoirs that the policy bounds,
and one classifier for each source.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import xxhash

from seed_platform.errors import UsageError, WorkError
from seed_platform.scoring.high_quality.candidates import Candidates, spreads
from seed_platform.scoring.high_quality.classifier import Classifier, TrainingFile, shown, train
from seed_platform.scoring.high_quality.policy import SOURCES, HighQualityPolicy
from seed_platform.scoring.high_quality.report import HighQuality
from seed_platform.scoring.high_quality.seeds import hashes
from seed_platform.scoring.high_quality.source_rounds import SourceRounds, Training

_TEXTS_AT_ONCE = 256


def run_rounds(candidates: Candidates, policy: HighQualityPolicy, workdir: Path) -> HighQuality:
    """Find the files of high quality among `candidates`.

    The files are read without text twice; then in each round the texts to train on, and all texts once. The same
    candidates and policy give the same result, whatever the order of the files.

    Args:
        candidates: the files.
        policy: thresholds and limits.
        workdir: a folder that is new or empty; the result's files stay in it.

    Raises:
        UsageError: `workdir` is not empty.
        WorkError: the chunks differ from one round to the next.
    """
    if workdir.exists() and any(workdir.iterdir()):
        raise UsageError(f"{workdir} is not empty; give the rounds a folder of their own")
    sources = _seeded(candidates, policy)
    folder = workdir / "accepted"
    (folder / "round-0").mkdir(parents=True)
    for each in _active(sources):
        each.seeds_accepted().write_parquet(folder / "round-0" / f"{each.source}.parquet")
    passes = _Passes(candidates, folder)
    for number in range(1, policy.rounds + 1):
        active = _active(sources)
        if not active:
            break
        trainings = {each: each.training() for each in active}
        with tempfile.TemporaryDirectory(dir=workdir) as scratch:
            classifiers = _trained(candidates, trainings, policy, Path(scratch))
        passes.score(classifiers, number)
        for each in classifiers:
            each.end_round(number, trainings[each])
    return HighQuality(tuple(each.report() for each in sources), folder)


def _active(sources: Sequence[SourceRounds]) -> list[SourceRounds]:
    return [each for each in sources if each.skipped is None]


def _seeded(candidates: Candidates, policy: HighQualityPolicy) -> list[SourceRounds]:
    """Each source with its thresholds and seeds, or with the reason why it is skipped."""
    found = spreads(candidates.facts())
    sources = [SourceRounds(name, found.get(name), policy) for name in SOURCES]
    active = _active(sources)
    if active:
        for facts in candidates.facts():
            for each in active:
                each.offer(_scored(facts, each))
    for each in active:
        each.choose_seeds()
    return sources


def _scored(facts: pl.DataFrame, source: SourceRounds) -> pl.DataFrame:
    return facts.filter((pl.col("source") == source.source) & pl.col("score").is_not_null())


class _Passes:
    """The passes over all texts. What earlier rounds accepted is looked up on disk, chunk by chunk."""

    def __init__(self, candidates: Candidates, folder: Path) -> None:
        self._candidates = candidates
        self._folder = folder
        self._digests: list[int] = []

    def score(self, classifiers: dict[SourceRounds, Classifier], number: int) -> None:
        """Score all files in round `number` and write down what is newly accepted."""
        (self._folder / f"round-{number}").mkdir()
        for place, chunk in enumerate(self._same_chunks()):
            name = f"{place:08d}.parquet"
            paths = sorted(self._folder.glob(f"round-*/{name}"))
            before = [pl.read_parquet(path, columns=["doc_id"]) for path in paths]
            known = pl.concat([pl.DataFrame(schema={"doc_id": pl.String}), *before])["doc_id"]
            found = [each.score(_scored(chunk, each), model, number, known) for each, model in classifiers.items()]
            if any(frame.height for frame in found):
                pl.concat(found).write_parquet(self._folder / f"round-{number}" / name)

    def _same_chunks(self) -> Iterator[pl.DataFrame]:
        """The chunks, which must hold the same documents at every pass, or one could be accepted twice."""
        is_first = not self._digests
        place = -1
        for place, chunk in enumerate(self._candidates.chunks()):
            digest = xxhash.xxh64_intdigest(hashes(chunk["doc_id"].to_list(), 0).tobytes())
            if is_first:
                self._digests.append(digest)
            elif self._digests[place : place + 1] != [digest]:
                raise WorkError(f"chunk {place} has other files than in the first round; read them from one snapshot")
            yield chunk
        if place + 1 != len(self._digests):
            raise WorkError(f"{place + 1} chunks instead of the first round's {len(self._digests)}; read one snapshot")


def _trained(
    candidates: Candidates, trainings: dict[SourceRounds, Training], policy: HighQualityPolicy, scratch: Path
) -> dict[SourceRounds, Classifier]:
    """A classifier for each source whose training succeeds; the others are skipped from now on."""
    files = _training_files(candidates, trainings, policy, scratch)
    classifiers = {}
    for each, training in trainings.items():
        file = files[each]
        model = file.path.with_name("model.bin")
        training.without_text = len(training.positives) + len(training.negatives.all) - file.positives - file.negatives
        try:
            training.lr = train(file, policy, model)
        except WorkError as error:
            each.skipped = f"training_failed: {error}"
            continue
        classifiers[each] = Classifier(model, policy)
        model.unlink()
        file.path.unlink()
    return classifiers


def _training_files(
    candidates: Candidates, trainings: dict[SourceRounds, Training], policy: HighQualityPolicy, scratch: Path
) -> dict[SourceRounds, TrainingFile]:
    """The training file of each source, from one pass over the texts."""
    wanted: dict[str, tuple[TrainingFile, bool]] = {}
    files: dict[SourceRounds, TrainingFile] = {}
    for each, training in trainings.items():
        (scratch / each.source).mkdir()
        file = files[each] = TrainingFile(scratch / each.source, policy.seed)
        wanted |= dict.fromkeys(training.positives, (file, True))
        wanted |= dict.fromkeys(training.negatives.all, (file, False))
    for batch in _batched(candidates.texts(list(wanted))):
        taken = [(wanted.pop(doc_id), doc_id, text) for doc_id, text in batch if doc_id in wanted]
        lines = shown(pl.Series([text for _, _, text in taken], dtype=pl.String), policy.text_words)
        for ((file, positive), doc_id, _), line in zip(taken, lines, strict=True):
            file.add(doc_id, line, positive=positive)
    for file in files.values():
        file.finish()
    return files


def _batched(texts: Iterator[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    batch: list[tuple[str, str]] = []
    for each in texts:
        batch.append(each)
        if len(batch) == _TEXTS_AT_ONCE:
            yield batch
            batch = []
    yield batch
