"""What every section of the curation policy is made of.

What belongs here: the base class. What does not: any section (`policy.py`, `page_policy.py`).
"""

from __future__ import annotations

import hashlib

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the policy. Unknown names are errors: a misspelt threshold must not pass for the default."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    def digest(self) -> str:
        """SHA-256 of the section's values, defaults included, in hex."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()
