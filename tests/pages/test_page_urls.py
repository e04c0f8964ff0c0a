import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seed_platform.pages.urls import host_of, normalize

CANONICAL = "https://example.org/a/b?x=1&y=2"


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a/b?x=1&y=2",
        "HTTP://WWW.Example.ORG:80/a/b/?y=2&x=1",
        "//example.org./a/b?x=1&y=2",
        "https://user:pw@example.org:443/a/b?x=1&y=2#part",
        "https://example.org:0443/a/./c/../b/index.html?x=1&y=2",
        "https://example.org/a/b/Default.aspx?x=1&&y=2&utm_source=n&fbclid=9",
        "https://example.org/a/%62;jsessionid=9F?x=1&y=2&PHPSESSID=q",
        "https://example.org/a/b?x=1&y=2&sid=0123456789abcdef0123456789abcdef",
        "https://example.org/(S(lit3py55t21z5v55vlm25s55))/a/b?x=1&y=2",
        "https://example.org/a/b?x=1&y=2&SESSION_ID=a81f3c5520be9d47&pk_campaign=n&pk_kwd=m",
        "https://example.org/a/b/index.html/index.php//default.asp?x=1&y=2",
        " https://exam\nple.org/a/b?%78=1&y=2 ",
        "https://example.org/%2e%2E/a/b?x=1&y=2",
    ],
)
def test_spellings_of_one_address_are_equal(url: str):
    assert normalize(url) == CANONICAL


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://e.org/a", "https://e.org/A"),
        ("https://e.org/a?sid=7", "https://e.org/a?sid=8"),
        ("https://e.org/a%2Fb", "https://e.org/a/b"),
        ("https://e.org/a?q=1%262", "https://e.org/a?q=1&2"),
        ("https://e.org:8080/", "https://e.org/"),
        ("https://docs.e.org/", "https://e.org/"),
        ("https://e.org/?ref=a", "https://e.org/?ref=b"),
        ("https://e.org/?q=a%2Bb", "https://e.org/?q=a+b"),
        ("https://e.org/indexes.html", "https://e.org/"),
        ("https://e.org/talk?sessionid=12", "https://e.org/talk?sessionid=13"),
        ("https://e.org/talk?SESSION_ID=2134", "https://e.org/talk?SESSION_ID=9999"),
        ("https://e.org/talk?session_id=internationalization", "https://e.org/talk?session_id=1234567890123456"),
        ("https://e.org/a?pk_id=4", "https://e.org/a?pk_id=5"),
        ("https://e.org/index.html/a", "https://e.org/a"),
        ("https://web.example/http://a.org", "https://web.example/http:/a.org"),
    ],
)
def test_addresses_of_different_pages_stay_different(one: str, other: str):
    assert normalize(one) != normalize(other)


def test_unicode_hosts_and_paths_have_their_ascii_form():
    assert normalize("http://Bücher.example/straße?q=ä ö") == normalize(
        "https://xn--bcher-kva.example/stra%c3%9fe?q=%C3%A4+%C3%B6"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mailto:a@b.org",
        "ftp://e.org/x",
        "no address",
        "http://",
        "http://e org/",
        "http://e.org:99999999/",
        "http://a\uff0fb.org/",
        "data:text/html,x",
    ],
)
def test_what_is_no_http_address_comes_back_and_has_no_host(text: str):
    assert normalize(f" {text}\n") == text
    assert host_of(text) == ""


def test_host_has_neither_www_nor_port():
    assert host_of("HTTP://www.Example.org:8080/x") == "example.org"
    assert host_of("http://[2001:DB8::1]:8080/") == "[2001:db8::1]"


@pytest.mark.parametrize("part", ["/index.html", "/a/..", "/.;sid=1", "/(S(lit3py55t21z5v55vlm25s55))", "/", ";sid=1"])
def test_the_time_that_an_address_takes_grows_with_its_length_alone(part: str):
    url = "https://e.org/" + part * (60_000 // len(part))
    before = time.process_time()
    once = normalize(url)
    assert time.process_time() - before < 1
    assert normalize(once) == once


urls = st.one_of(
    st.text(),
    st.builds(
        "{}://{}{}".format,
        st.sampled_from(["http", "HTTPS", "ftp"]),
        st.sampled_from(
            ["www.www.E.org", "b\u00fc.example:80", "a@b@c.org:8", "[::1]", "e%2Eorg.", "\uff57ww.e.org", "a..b"]
        ),
        st.text(alphabet="/.%2eEfF;=()&?#+ aS\u00e9\ud800\\:", max_size=40)
        | st.sampled_from(
            [
                "/index.html/index.php/",
                "/x/(S(aaaaaaaaaaaaaaaaaaaaaaaa));sid=1/..;sid=2/index.html;sid=3/",
                "/a/;jsessionid=1/index.html",
                "/x/(S(aaaaaaaaaaaaaaaaaaaaaaaa))/.",
            ]
        ),
    ),
)


@given(urls)
@example("http://e.org/a/..;sid=1/b")
@example("http://e.org/.;sid=1./x")
def test_normalizing_twice_changes_nothing(url: str):
    once = normalize(url)
    assert normalize(once) == once
