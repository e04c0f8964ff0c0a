"""Which files of a repository depend on which: imports by tree-sitter, and the resolution rules of each language."""
