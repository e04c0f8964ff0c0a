"""Resources: the lake, the engine and the policy, as Dagster hands them to assets.

What belongs here: making domain objects from resource configuration. What does not: any work.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import dagster as dg

from seed_platform.engine.local import LocalEngine
from seed_platform.lake.lake import Lake
from seed_platform.policy import Policy, load_policy
from seed_platform.settings import Settings


class LakeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The lake. `root` and `policy` come from the settings (`SEED_LAKE`, `SEED_POLICY`, seed.toml) when empty."""

    root: str = ""
    policy: str = ""

    def settings(self) -> Settings:
        """The deployment's settings with this resource's choices applied."""
        chosen: dict[str, Any] = {}
        if self.root:
            chosen["lake"] = self.root
        if self.policy:
            chosen["policy"] = Path(self.policy)
        return Settings(**chosen)

    def lake(self) -> Lake:
        """The lake's tables."""
        settings = self.settings()
        return Lake(settings.lake, row_group_bytes=settings.row_group_bytes, part_bytes=settings.part_bytes)

    def curation_policy(self) -> Policy:
        """The policy in force."""
        return load_policy(self.settings().policy)


class EngineResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where tasks run: `workers` processes on this machine; as many as the settings say when 0."""

    workers: int = 0

    def engine(self, settings: Settings) -> LocalEngine:
        """The engine."""
        return LocalEngine(self.workers or settings.workers)


class RefusingIOManager(dg.IOManager):
    """Fails loudly: assets write to the lake themselves, and nothing is ever pickled beside it."""

    def handle_output(self, context: dg.OutputContext, obj: object) -> NoReturn:
        """Refuse."""
        raise dg.DagsterInvariantViolationError(f"{context.asset_key.to_user_string()} returned {type(obj).__name__}")

    def load_input(self, context: dg.InputContext) -> NoReturn:
        """Refuse."""
        raise dg.DagsterInvariantViolationError(f"{context.asset_key.to_user_string()} is read through the lake")
