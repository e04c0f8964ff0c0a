"""`seed judge`: ask a language model about a sample of files, and see how far two judges agree.

What belongs here: arguments, help, and calling one function. What does not: asking (`steps/judge_sample.py`).
"""

from __future__ import annotations

from pathlib import Path

import click

from seed_platform import console
from seed_platform.cli_options import context_of, existing_lake, json_option, lake_option
from seed_platform.errors import UsageError
from seed_platform.lake.locks import only_run
from seed_platform.progress import listen
from seed_platform.settings import Settings


@click.group()
def judge() -> None:
    """Ask a language model how good files are."""


@judge.command("files")
@json_option
@lake_option
def judge_files_command(as_json: bool, settings: Settings) -> None:
    """Ask the judge about a sample of each language; what was asked before is not asked, and not paid, again.

    The judge is any OpenAI-compatible server: SEED_JUDGE_URL, SEED_JUDGE_MODEL, SEED_JUDGE_KEY, SEED_JUDGE_MODE. The
    sample is that of the policy `judge_sample`. `seed train file-quality` learns from the answers.

    \\b
    Examples:
      export SEED_JUDGE_URL=http://localhost:8000/v1 SEED_JUDGE_MODEL=Qwen/Qwen3-32B   # vllm serve Qwen/Qwen3-32B
      seed judge files
      SEED_JUDGE_MODE=schema seed judge files --policy small-sample.yaml
    """
    from seed_platform.steps.judge_sample import judge_files  # noqa: PLC0415 - loads an HTTP client

    existing_lake(settings)
    context = context_of(settings)
    with only_run(context.lake.storage, "judge"), console.Bars() as bars, listen(bars):
        judged = judge_files(context)
    stats = judged.stats
    told = {
        "judge": judged.judge,
        "rubric": judged.rubric,
        "sampled": judged.sampled,
        "judged": stats.judged,
        "cached": stats.cached,
        "rejected": dict(stats.rejected),
        "requests": stats.requests,
        "retries": stats.retries,
        "prompt_tokens": stats.prompt_tokens,
        "completion_tokens": stats.completion_tokens,
        "tokens_per_second": round(stats.tokens_per_second, 1),
        "cost": stats.cost,
        "seconds": round(stats.seconds, 1),
        "languages": dict(judged.by_language.most_common()),
    }
    if as_json:
        console.print_json(told)
        return
    console.out.print(
        f"{judged.judge} under {judged.rubric}: {stats.judged:,} of {judged.sampled:,} files judged, {stats.cached:,} "
        f"of them before; {stats.prompt_tokens + stats.completion_tokens:,} tokens at {stats.tokens_per_second:,.0f}/s"
    )
    if stats.rejected:
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in stats.rejected.most_common())
        console.err.print(f"[yellow]without a score[/]: {reasons}")
    console.out.print("next: seed train file-quality")


@judge.command("list")
@json_option
@lake_option
def judge_list(as_json: bool, settings: Settings) -> None:
    """Show whose judgements the lake has.

    \\b
    Examples:
      seed judge list
    """
    from seed_platform.steps.judgements import judges  # noqa: PLC0415 - only here

    found = judges(existing_lake(settings))
    rows = [(name, rubric, number) for (name, rubric), number in found.items()]
    if as_json:
        console.print_json([dict(zip(("judge", "rubric", "judgements"), row, strict=True)) for row in rows])
    else:
        console.show_rows(["judge", "rubric", "judgements"], rows, cut=False)


@judge.command("compare")
@click.argument("one")
@click.argument("other")
@click.option("--rubric", default="code_quality-1", show_default=True, help="Name and version.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Also save the heat map as PNG.")
@json_option
@lake_option
def judge_compare(one: str, other: str, rubric: str, plot: Path | None, as_json: bool, settings: Settings) -> None:
    """Show how far two judges agree on the files that both have judged; `shipped` is the label set of the project.

    \\b
    Examples:
      seed judge compare shipped qwen3-32b.rating
      seed judge compare gpt-oss.rating qwen3-32b.rating --plot agreement.png
    """
    from seed_platform.lineage.judges import agreement, scores_of  # noqa: PLC0415 - only here
    from seed_platform.lineage.plots import agreement_figure, save  # noqa: PLC0415 - imports matplotlib

    lake = existing_lake(settings)
    found = agreement(scores_of(lake, one, rubric), scores_of(lake, other, rubric))
    if found is None:
        raise UsageError(f"{one} and {other} have judged no file in common; see seed judge list")
    if as_json:
        console.print_json(found.to_json())
    else:
        console.out.print(
            f"{found.files:,} files: exact {found.exact:.1%}, within 1 {found.within_one:.1%}, mean absolute error "
            f"{found.mae:.2f}, Pearson {found.pearson:.3f}; means {found.means[0]:.2f} and {found.means[1]:.2f}"
        )
    if plot is not None:
        save(agreement_figure(found, one, other), plot)
        console.err.print(f"picture saved to {plot}")
