import json

import numpy as np
import pytest

from seed_platform.pages.categories import CATEGORIES, categorize, default_weights, read_weights
from seed_platform.pages.features import NAMES, features, prose_language, without_code

THREAD = "Re: pump keeps stopping\n\nanna wrote:\n> mine stops too\n\nHi all, thanks for the reply.\n\n"
THREAD += "Joined: 2009\nPosts: 12\n"
PRODUCT = "# Garden hose\n\n19,90 €\n\nIn stock. Add to cart. Free shipping. Quantity: 1\n\n"
PRODUCT += "Reviews\n\nPrice incl. VAT 19,90 €\n"


@pytest.mark.parametrize(
    ("url", "title", "text", "category"),
    [
        ("https://docs.example.org/en/2.1/reference/api.html", "API reference",
         "Parameters\n\nReturns `None`.", "documentation"),
        ("https://blog.example.org/2019/03/my-week/", "My week",
         "I went out. Leave a comment\n\nPosted by me", "tutorial_or_blog"),
        ("https://example.org/forum/viewtopic.php?t=7", "View topic - pump", THREAD, "forum"),
        ("https://stackoverflow.com/questions/7/how-do-i", "How do I?", "I tried this?\n\nanswer: votes", "qa"),
        ("https://example.org/faq.html", "Frequently asked questions", "Why?\n\nBecause.", "qa"),
        ("https://github.com/a/b/blob/main/x.py", "b/x.py at main · GitHub",
         "Latest commit\n\ncommits", "code_hosting"),
        ("https://news.example.com/world/2020/01/02/vote-ends", "Vote ends",
         "Officials said on Monday, according to police.", "news"),
        ("https://en.wikipedia.org/wiki/Hose", "Hose - Wikipedia",
         "A hose is a tube. References. Retrieved 2020", "reference"),
        ("https://shop.example.com/products/hose", "Buy Garden hose", PRODUCT, "shop"),
        ("https://example.com/", "Welcome", "Contact us. All rights reserved. Privacy policy", "other"),
    ],
)  # fmt: skip
def test_plain_cases_of_each_category_are_told(url: str, title: str, text: str, category: str):
    found, probability = categorize(url, {}, title, text)
    assert found == category
    assert 1 / len(CATEGORIES) < probability <= 1


@pytest.mark.parametrize(
    ("url", "title", "text"),
    [("", None, ""), ("not an address", "", "`" * 5000), ("http://[::1", "\ud800", "\x00\ufffd" * 3000),
     ("//", None, "```\n" * 999)],
)  # fmt: skip
def test_any_page_has_features_between_zero_and_one(url: str, title: str | None, text: str):
    vector = features(url, {"p": 10**9, "unknown": 3}, title, text)
    assert vector.shape == (len(NAMES),)
    assert ((vector >= 0) & (vector <= 1)).all()
    assert categorize(url, {}, title, text)[0] in CATEGORIES


def test_weights_survive_being_written_and_read():
    weights = default_weights()
    again = read_weights(weights.as_json())
    assert np.allclose(again.weights, weights.weights, atol=1e-3)
    assert again.as_json() == weights.as_json()


def test_weights_of_another_version_are_refused():
    table = json.loads(default_weights().as_json())
    table["forum"]["text:glitter"] = 1.0
    with pytest.raises(ValueError, match="text:glitter"):
        read_weights(json.dumps(table))
    del table["forum"]
    with pytest.raises(ValueError, match="forum"):
        read_weights(json.dumps(table))


def test_the_language_is_that_of_the_prose_and_not_of_the_code():
    code = "```python\nfor item in the_list_of_things: print(item, file=the_output)\n```\n" * 20
    assert prose_language(code + "Dies ist ein längerer Satz auf Deutsch, in dem `the value of this` steht.") == "de"
    assert prose_language("```\nall of this is code\n```") is None
    assert prose_language("") is None


def test_an_unclosed_fence_is_code_to_the_end():
    assert without_code("before\n````c\nx\n```\ny\n") == "before\n\n"
