import pytest
from pydantic import ValidationError

from seed_platform.pages.categories import CATEGORIES, Category
from seed_platform.pages.features import features
from seed_platform.pages.policy import CategoryQuality, SiteQualityPolicy
from seed_platform.pages.quality import judge, page_score

IDS = [f"{number:032x}" for number in range(2000)]


def test_a_forum_is_not_judged_by_its_formatting():
    thread = "has anyone seen this?\n\nthanks for the reply\n\ntry this\n" * 12
    formatted = "# Heading\n\n" + thread.replace("\n\n", "\n\n## Heading\n\n")
    plain, dressed = (features("", {}, None, text) for text in (thread, formatted))
    assert page_score(plain, "forum") >= page_score(dressed, "forum") - 0.03
    assert page_score(plain, "forum") > page_score(plain, "documentation")


@pytest.mark.parametrize("category", CATEGORIES)
def test_scores_stay_between_zero_and_one(category: Category):
    for text in ("", "!" * 9000, "```\nx()\n```\n" * 900, "price $9 add to cart " * 500):
        assert 0 <= page_score(features("", {}, None, text), category) <= 1


def test_a_page_below_the_threshold_is_never_sampled():
    policy = SiteQualityPolicy(categories={"shop": CategoryQuality(threshold=0.5, rate=0.5)})
    reasons = judge(IDS, ["shop"] * 2000, [0.49, 0.5] * 1000, policy)
    assert set(reasons[::2]) == {"low_quality"}
    assert set(reasons[1::2]) == {None, "not_sampled"}
    assert 400 < reasons.count(None) < 600


def test_a_score_that_is_no_number_drops_the_page():
    assert judge(IDS[:1], ["forum"], [float("nan")], SiteQualityPolicy()) == ["low_quality"]


def test_a_lower_rate_keeps_a_subset():
    kept = []
    for rate in (0.2, 0.6):
        policy = SiteQualityPolicy(categories={"qa": CategoryQuality(threshold=0, rate=rate)})
        kept.append(
            {
                name
                for name, why in zip(IDS, judge(IDS, ["qa"] * 2000, [1.0] * 2000, policy), strict=True)
                if why is None
            }
        )
    assert kept[0] < kept[1]


def test_a_policy_that_names_one_category_keeps_the_others_and_its_digest_changes():
    policy = SiteQualityPolicy(categories={"shop": CategoryQuality(threshold=0.9, rate=0.0)})
    assert set(policy.categories) == set(CATEGORIES)
    assert policy.digest() != SiteQualityPolicy().digest()
    with pytest.raises(ValidationError, match="wikis"):
        SiteQualityPolicy(categories={"wikis": CategoryQuality(threshold=0.9, rate=0.0)})
