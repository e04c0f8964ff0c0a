"""One spelling for all the addresses of a page, so that exact duplicates by URL are equal texts.

What belongs here: what can be told from the address alone. What does not: redirects and `rel=canonical`, which need the
page, and duplicates by text.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, unquote_to_bytes

_URL = re.compile(r"(?s)(?:([A-Za-z][A-Za-z0-9+.-]*):)?//([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#.*)?")
# WHATWG URL, 4.4: leading and trailing C0 controls and spaces are stripped, tabs and newlines anywhere removed.
_ENDS = "".join(map(chr, range(33)))
_BREAKS = {ord(char): None for char in "\t\r\n"}
_HOST = re.compile(r"[a-z0-9_.~-]+|\[[0-9a-f:.]+\]")
_DEFAULT_PORTS = frozenset({"", "80", "443"})
_INDEX = re.compile(r"(?:index\.(?:x?html?|shtml|php\d?|aspx?|jsp|cgi)|default\.(?:aspx?|html?))?", re.IGNORECASE)
_PATH_PARAMETER = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/;]*", re.IGNORECASE)
_PATH_SESSION = re.compile(r"/\([A-Z]\([a-z0-9]{20,}\)\)(?=/|$)", re.IGNORECASE)

_TRACKING = frozenset(
    [
        "gclid",
        "gclsrc",
        "dclid",
        "gbraid",
        "wbraid",
        "fbclid",
        "msclkid",
        "yclid",
        "twclid",
        "ttclid",
        "igshid",
        "igsh",
        "li_fat_id",
        "mc_cid",
        "mc_eid",
        "mkt_tok",
        "_ga",
        "_gl",
        "_hsenc",
        "_hsmi",
        "__hstc",
        "__hssc",
        "__hsfp",
        "hsctatracking",
        "vero_id",
        "vero_conv",
        "oly_anon_id",
        "oly_enc_id",
        "wickedid",
        "rb_clickid",
        "s_cid",
        "s_kwcid",
        "ref_src",
        "ref_url",
        "wt_mc",
        "xtor",
        "ns_campaign",
        "ns_mchannel",
        "ns_source",
        "ns_linkname",
        "sfnsn",
        "spm",
        "mibextid",
        "pk_campaign",
        "pk_cpn",
        "pk_kwd",
        "pk_keyword",
        "pk_source",
        "pk_medium",
        "pk_content",
        "pk_cid",
        "pk_vid",
    ]
)
_TRACKING_PREFIXES = ("utm_", "piwik_", "mtm_", "matomo_", "hsa_", "at_campaign", "at_medium")
_SESSIONS = frozenset(
    [
        "phpsessid",
        "jsessionid",
        "aspsessionid",
        "cfid",
        "cftoken",
        "zenid",
        "oscsid",
        "xtcsid",
    ]
)
# phpBB, vBulletin: short names that mean something else elsewhere, told apart by the form of the value.
_HEX_SESSIONS = frozenset({"s", "sid"})
_HEX_ID = re.compile(r"[0-9a-f]{32}", re.IGNORECASE)
# Elsewhere these number the sessions of a conference: only what was drawn at random is a visitor's.
_TOKEN_SESSIONS = frozenset({"sessionid", "session_id"})
_TOKEN = re.compile(r"(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[0-9A-Za-z]{16,}")

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# RFC 3986, 3.3 and 3.4: besides unreserved characters, what may stand in a path or a query as it is.
_PATH_SAFE = _UNRESERVED | frozenset(b"!$&'()*+,;=:@/")
_QUERY_SAFE = _UNRESERVED | frozenset(b"!$'()*,;=:@/?")
_PLAIN_PATH = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/]*")
_PLAIN_QUERY = re.compile(r"[A-Za-z0-9\-._~!$'()*,;=:@/?]*")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})|(.)", re.DOTALL)


def normalize(url: str) -> str:
    """The one spelling of `url`; two addresses with equal spellings are taken for one page.

    http and https, `www.` and none, an index page and its folder, a folder with and without its slash, default ports,
    orders of query parameters, escapes of one character (RFC 3986, 6.2.2), Unicode and punycode hosts (IDNA 2003) are
    the same; fragments, user names, tracking parameters and session ids do not count. Letter case counts in paths and
    queries. Any text is accepted: one that is no http address comes back stripped of spaces at its ends. Normalizing
    twice changes nothing.
    """
    stripped = url.strip(_ENDS).translate(_BREAKS)
    match = _URL.fullmatch(stripped)
    if match is None:
        return stripped
    scheme, authority, path, query = match.groups()
    if scheme is not None and scheme.lower() not in {"http", "https"}:
        return stripped
    host, port = _host_and_port(authority)
    if host is None:
        return stripped
    parameters = _query(query) if query else ""
    return f"https://{host}{port}{_path(path)}{parameters}"


def host_of(url: str) -> str:
    """The host of `url` as `normalize` spells it, without port; "" if it is no http address."""
    normalized = normalize(url)
    match = _URL.fullmatch(normalized)
    if match is None or match[1] != "https":
        return ""
    authority = match[2]
    return authority if authority.endswith("]") else re.sub(r":\d+$", "", authority)


def _host_and_port(authority: str) -> tuple[str | None, str]:
    """The host in ASCII, or None if it is none, and ":port" unless it is a default one."""
    name = authority.rpartition("@")[2]
    match = re.fullmatch(r"(\[.*\]|[^:]*)(?::([0-9]{0,5}))?", name, re.DOTALL)
    if match is None:
        return None, ""
    host = unquote(match[1]).lower()
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii").lower()
        except UnicodeError:
            return None, ""
    host = host.rstrip(".")
    while host.startswith("www.") and "." in host[4:]:
        host = host[4:]
    if not _HOST.fullmatch(host):
        return None, ""
    port = (match[2] or "").lstrip("0")
    return host, "" if port in _DEFAULT_PORTS else f":{port}"


def _path(path: str) -> str:
    """The path without dot segments, index page, session ids and slash at its end; "/" for the root."""
    path = _escaped(path, _PLAIN_PATH, _PATH_SAFE)
    path = _PATH_SESSION.sub("", _PATH_PARAMETER.sub("", _without_dots(path)))
    # A segment may be dots only once its session id is gone.
    segments = _without_dots(path).split("/")[1:]
    while segments and _INDEX.fullmatch(segments[-1]):
        segments.pop()
    return "/" + "/".join(segments)


def _without_dots(path: str) -> str:
    """RFC 3986, 5.2.4."""
    if "/." not in path:
        return path
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in {".", ".."}:
        kept.append("")
    return "".join(f"/{segment}" for segment in kept)


def _query(query: str) -> str:
    """`?` and the parameters that name the content, sorted; "" if there are none."""
    kept = []
    for parameter in query.split("&"):
        name, _, value = parameter.partition("=")
        if parameter and not _is_noise(unquote(name).lower(), value):
            kept.append(_escaped(parameter.replace("+", "%20"), _PLAIN_QUERY, _QUERY_SAFE))
    return "?" + "&".join(sorted(kept)) if kept else ""


def _is_noise(name: str, value: str) -> bool:
    """Whether a parameter says who came from where, not what is shown."""
    if name in _TRACKING or name in _SESSIONS or name.startswith(_TRACKING_PREFIXES):
        return True
    if name in _TOKEN_SESSIONS:
        return _TOKEN.fullmatch(value) is not None
    return name in _HEX_SESSIONS and _HEX_ID.fullmatch(value) is not None


def _escaped(text: str, plain: re.Pattern[str], safe: frozenset[int]) -> str:
    """`text` with unreserved characters as they are, and escapes in capitals for all that is not `safe`."""
    if plain.fullmatch(text):
        return text

    def spell(match: re.Match[bytes]) -> bytes:
        if match[1]:
            byte = unquote_to_bytes(match[0])[0]
            return bytes((byte,)) if byte in _UNRESERVED else b"%%%02X" % byte
        return match[2] if match[2][0] in safe else b"%%%02X" % match[2][0]

    return _ESCAPE.sub(spell, text.encode("utf-8", "replace")).decode("ascii")
