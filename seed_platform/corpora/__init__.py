"""Corpora: from surviving documents to training text. One module per corpus."""
