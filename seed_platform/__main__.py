"""`python -m seed_platform` is the `seed` command."""

from seed_platform.cli import entry

entry()
