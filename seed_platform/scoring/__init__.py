"""Scoring: small models that learn a judge's ratings and then rate every document (PAPER §1.3).

What belongs here: scorers, what they see of a text, how they are trained, measured and stored. What does not: the judge
and its labels (`judging/`), and which documents are scored and dropped (`steps/`, `policy.py`).
"""
