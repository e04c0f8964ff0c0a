"""Licence files: which names at the root of a repository hold the terms it may be used under.

What belongs here: names only. What does not: reading the files or recognizing a licence in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_STEM = re.compile(r"(licen[cs]es?|copying|notices?|unlicense)(?P<rest>[-._ ].*)?", re.IGNORECASE)
_CODE = re.compile(
    r"\.(py|pyi|js|jsx|ts|tsx|mjs|cjs|vue|css|scss|c|h|cc|cpp|cxx|hpp|cs|go|rs|java|kt|scala|swift|m|rb|php|pl|lua|sh|"
    r"ps1|bat|sql|json|ya?ml|toml|xml|ini|cfg|lock|png|jpe?g|svg|gif)",
    re.IGNORECASE,
)


def license_files(paths: Iterable[str]) -> list[str]:
    """The licence files among `paths`: LICENSE, LICENCE, COPYING, NOTICE, UNLICENSE, with any suffix but a program's.

    Args:
        paths: '/'-separated paths relative to the repository; only those at its root count.

    Returns:
        The matching paths, sorted.
    """
    return sorted(path for path in paths if _names_a_license(path))


def _names_a_license(path: str) -> bool:
    match = _STEM.fullmatch(path)
    if match is None or "/" in path:
        return False
    suffix = re.search(r"\.[^.]*$", match["rest"] or "")
    return suffix is None or _CODE.fullmatch(suffix[0]) is None
