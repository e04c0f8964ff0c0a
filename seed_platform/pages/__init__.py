"""What is known of a web page from its address and its extracted text.

What belongs here: URLs, features, site categories, page scores, sampling and code relevance. What does not: reading
crawls (`crawl`), parsing HTML (`extraction`) and the verdicts of the rules (`filters/page_rules.py`).
"""
