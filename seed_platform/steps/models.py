"""The trained models of a lake: which one is in use under each name, and what it was measured on.

What belongs here: the register of models. What does not: training any.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from seed_platform.lake.lake import Commit, Lake
from seed_platform.lake.schemas import MODELS

FOLDER = "model_files"
"""Where model files are: not in the Delta table's own folder, whose cleaning would delete them."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model in use. `path` is None if none could be trained; `report` says why, or what it was measured on."""

    name: str
    id: str
    path: str | None
    threshold: float
    report: dict[str, Any]


def models(lake: Lake) -> dict[str, Model]:
    """The models in use, by name."""
    delta = lake.open(MODELS)
    if delta is None:
        return {}
    rows = pl.DataFrame(delta.to_pyarrow_table()).iter_rows(named=True)
    return {
        row["name"]: Model(row["name"], row["id"], row["path"], row["threshold"], json.loads(row["report"]))
        for row in rows
    }


def model_ids(lake: Lake) -> dict[str, str]:
    """Of each model in use: what results that it judged depend on."""
    return {name: model.id for name, model in models(lake).items()}


def publish_model(lake: Lake, model: Model, commit: Commit) -> None:
    """Put a model in use; an earlier one's file stays, since a run may be at work with it."""
    row = pl.DataFrame(
        {
            "id": [model.id],
            "path": [model.path],
            "threshold": [model.threshold],
            "report": [json.dumps(model.report, sort_keys=True)],
            "run_id": [commit.run_id],
            "trained_at": [datetime.now(UTC)],
        },
        schema_overrides={"path": pl.String},
    )
    with lake.writer(MODELS, name=model.name) as writer:
        writer.write(row)
    lake.publish(MODELS, writer.parts, commit, name=model.name)
