import json

import polars as pl
import pytest

from seed_platform.filters.base import VERDICT_COLUMNS
from seed_platform.filters.page_rules import COLUMNS, judge
from seed_platform.pages.policy import PageRulesPolicy

SCHEMA = {
    "ordinal": pl.Int64, "doc_id": pl.String, "reason": pl.String, "language": pl.String, "content": pl.String,
    "link_bytes": pl.Int64, "code_blocks": pl.Int64,
}  # fmt: skip
POLICY = PageRulesPolicy()
PROSE = "The pump stops when the tank is empty, and starts again an hour later by itself."


def verdict(content: str | None, *, policy: PageRulesPolicy = POLICY, reason: str | None = None,
            language: str | None = "en",
            links: int | None = 0, blocks: int = 0) -> dict[str, object]:  # fmt: skip
    frame = pl.DataFrame([(0, "d", reason, language, content, links, blocks)], schema=SCHEMA, orient="row")
    return judge(frame, policy).row(0, named=True)


def test_a_page_of_prose_is_kept_without_a_reason():
    assert verdict(PROSE) == {**dict.fromkeys(VERDICT_COLUMNS), "ordinal": 0, "doc_id": "d", "keep": True}
    assert set(COLUMNS) == set(SCHEMA)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no_content"),
        (" \n", "no_content"),
        ("one two three four five six seven eight nine", "too_few_words"),
        ("- - - | | | * * * ... !!! ??? --- === ### $$$ %%%", "too_few_words"),
        ("水泵在水箱空时停止", "too_few_words"),
        (PROSE + "\ufffd" * 4, "broken_characters"),
        (PROSE + "\x00\x01\x02\x03", "broken_characters"),
        ("# 404 - Page not found\n\nSorry, the page you are looking for has moved away from here.", "error_page"),
        ("The requested URL was not found on this server.", "error_page"),
        ("Please enable JavaScript to view the comments on this page and all of its other parts.", "script_required"),
        ("This site requires JavaScript.", "script_required"),
        ("# Under construction\n\nOur new site is coming soon, please come back in a few weeks.", "placeholder"),
        ((PROSE + "\n") * 3, "repeated_lines"),
    ],
)
def test_what_is_no_page_of_text_is_dropped_for_its_reason(content: str | None, reason: str):
    found = verdict(content)
    assert (found["keep"], found["reason"]) == (False, reason)


@pytest.mark.parametrize(
    "content",
    [
        "one two three four five six seven eight nine ten",
        "水泵在水箱空时停止。一小时后自动重新启动运行",
        # A long page about errors is about errors, and repeated lines of code are code.
        "A server answers 404 not found if " + PROSE * 10,
        PROSE + "\n```\n" + "    }\n" * 200 + "```\n",
        "If you enable JavaScript here: " + PROSE * 10,
        "مرحبا " * 12,
    ],
)
def test_what_only_looks_like_it_is_kept(content: str):
    assert verdict(content)["keep"], verdict(content)


@pytest.mark.parametrize(
    ("content", "blocks"),
    [
        ("# Aborting\n\nCall `abort(404)` in a view, and the client gets a 404 Not Found response from the server.", 0),
        (
            "# 404 Not Found\n\nWhat `abort(404)` in a view sends to the client is this:\n\n```\nabort(404)\n```",
            1,
        ),
        ("# Answers of the service\n\n- 200 OK: here it is\n- 404 Not Found: there is no item of this number", 0),
        ("# Answers\n\n| Status | When |\n| --- | --- |\n| 404 Not Found | the item with this number is gone |", 0),
        ("ENOENT indicates that the requested file does not exist, or that a folder on the way to it is not there.", 0),
        ("You need to know JavaScript arrays first, and the loops over them that the last lesson was about.", 0),
        ("This library requires modern JavaScript (ES2020), and a browser or a runtime that was made after that.", 0),
        ("This menu opens and closes without JavaScript, since a hidden checkbox remembers what was chosen in it.", 0),
        ("# exists(path)\n\nIf the requested file does not exist, False is returned, and True in all other cases.", 0),
        ("To view the page you need to enable JavaScript, which the next lines say how to do.\n\n```\nx = 1\n```", 1),
        ("# Responses\n\nOne\n\nTwo\n\nThree\n\n404 Not Found\n\nThe table has all of those that servers send.", 0),
    ],
)
def test_a_short_page_about_errors_and_scripts_is_no_error_and_no_wall(content: str, blocks: int):
    assert verdict(content, blocks=blocks)["reason"] is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("HTTP Error 404. The page that was asked for has gone, and nobody knows where to it may be.", None),
        ("404 Not Found\n\nnginx and some more words so that there are enough of these", "error_page"),
        ("HTTP Error 404 - Not Found, and some more words so that there are enough of these", "error_page"),
        ("It seems that the page you are looking for no longer exists, so try the search", "error_page"),
        ("Oops! Error 404: page not found, we looked for it all over the place", "error_page"),
        ("Sorry, the page you are looking for could not be found on this site today", "error_page"),
        ("It looks like the page you're looking for doesn't exist any more, try the search", "error_page"),
        ("You need to enable JavaScript to run this app and to see all that it has to show.", "script_required"),
        ("Our shop does not work without JavaScript, so please come back with another browser.", "script_required"),
        ("Viewing this requires JavaScript to be enabled in the browser that you are using here.", "script_required"),
    ],
)
def test_error_pages_and_walls_are_known_by_how_they_begin(content: str, reason: str | None):
    assert verdict(content)["reason"] == reason


def test_the_reason_of_the_extraction_is_the_reason_of_the_verdict():
    assert verdict("", reason="script_only")["reason"] == "script_only"
    assert verdict(PROSE, reason="too_many_nodes")["keep"]


def test_a_page_of_links_is_an_index():
    found = verdict(PROSE, links=len(PROSE) - 2)
    assert found["reason"] == "mostly_links"
    assert found["score"] == pytest.approx(1 - 2 / len(PROSE))
    assert verdict(PROSE, links=len(PROSE) // 2)["keep"]
    assert verdict(PROSE, links=None)["keep"]


def test_a_language_outside_the_policy_is_dropped_and_none_is_not():
    policy = PageRulesPolicy(languages=("en", "de"))
    assert json.loads(str(verdict(PROSE, policy=policy, language="fr")["evidence"])) == {"language": "fr"}
    assert verdict(PROSE, policy=policy, language="de")["keep"]
    assert verdict(PROSE, policy=policy, language=None)["keep"]


def test_every_page_has_one_verdict_in_the_order_given():
    contents = [PROSE, None, "", "x", PROSE * 2] * 50
    rows = [(at, f"d{at}", None, None, content, 0, 0) for at, content in enumerate(contents)]
    found = judge(pl.DataFrame(rows, schema=SCHEMA, orient="row"), POLICY)
    assert found["ordinal"].to_list() == list(range(250))
    assert found["keep"].to_list() == [True, False, False, False, True] * 50
    assert judge(pl.DataFrame(schema=SCHEMA), POLICY).height == 0


@pytest.mark.parametrize("languages", [("EN",), ("eng",), ("e",)])
def test_a_policy_with_a_wrong_language_code_is_refused(languages: tuple[str, ...]):
    with pytest.raises(ValueError, match="two-letter"):
        PageRulesPolicy(languages=languages)
