"""The words of addresses, titles and texts that kinds of sites have in common.

What belongs here: patterns, by the kind that they speak for. What does not: how much each counts, which
`category_weights.json` holds.
"""

from __future__ import annotations

import re


def _labels(words: str) -> re.Pattern[str]:
    """A host with one of `words` as a label or at a label's hyphen, or with one that has a dot in it at its end."""
    parts = words.split()
    labels = "|".join(re.escape(word) for word in parts if "." not in word)
    ends = "|".join(re.escape(word) for word in parts if "." in word)
    return re.compile(rf"(?:^|[.-])(?:{labels})(?:[.-]|$)" + (rf"|(?:^|\.)(?:{ends})$" if ends else ""))


def _segments(words: str) -> re.Pattern[str]:
    """A path with one of `words` as a segment, or as a part of one between hyphens, underscores or dots."""
    return re.compile(rf"(?:[/_.?&-])(?:{'|'.join(words.split())})(?:[/_.?&=-]|$)")


def _words(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{words})(?!\w)")


HOST_MARKS: dict[str, re.Pattern[str]] = {
    "docs": _labels(
        "docs doc documentation api man manual manuals manpages developer developers devdocs handbook help support"
        " readthedocs.io readthedocs.org rtfd.io javadoc.io docs.rs pkg.go.dev pythonhosted.org"
    ),
    "blog": _labels(
        "blog blogs weblog wordpress.com blogspot.com blogspot.de medium.com tumblr.com substack.com livejournal.com"
        " typepad.com hatenablog.com dev.to hashnode.dev ghost.io over-blog.com csdn.net"
    ),
    "forum": re.compile(
        r"forum|(?:^|[.-])(?:boards?|community|communities|discuss|discourse|bbs|talk|lists)(?:[.-]|$)"
        r"|(?:^|\.)(?:reddit\.com|news\.ycombinator\.com|lobste\.rs|groups\.google\.com)$"
    ),
    "qa": re.compile(
        r"stackoverflow|stackexchange|(?:^|[.-])(?:answers?|ask|questions?|faq)(?:[.-]|$)"
        r"|(?:^|\.)(?:askubuntu|superuser|serverfault|quora|mathoverflow|gutefrage)\.(?:com|net)$"
    ),
    "code_hosting": re.compile(
        r"(?:^|\.)(?:github\.com|gitlab\.com|bitbucket\.org|sourceforge\.net|codeberg\.org|sr\.ht|gitee\.com|pypi\.org"
        r"|npmjs\.com|crates\.io|rubygems\.org|packagist\.org|launchpad\.net|codeplex\.com)$"
        r"|(?:^|[.-])(?:git|gitlab|gitea|gist|cgit|gitweb|svn|hg|code|cvs|cvsweb|repo)[.]"
    ),
    "news": re.compile(
        r"news|times|tribune|herald|gazette|zeitung|(?:^|[.-])(?:cnn|bbc|nytimes|theguardian|reuters)[.]"
        r"|journal|daily|headline|(?:^|[.-])(?:post|press|spiegel|lemonde)[.]|post\.com$"
    ),
    "reference": re.compile(
        r"wiki|dictionary|encyclop|glossary|(?:^|[.-])(?:britannica|wiktionary|thesaurus|imdb|duden)[.]"
    ),
    "shop": re.compile(
        r"shop|store|(?:^|[.-])(?:amazon|ebay|etsy|aliexpress|alibaba|walmart|otto|zalando|bol)[.]|market"
    ),
}
"""By what the host is called. A few well-known hosts are named, since they are a large part of any crawl."""

PATH_MARKS: dict[str, re.Pattern[str]] = {
    "docs": _segments(
        "docs? documentation manuals? reference api apidocs? javadoc man guides? handbook help userguide _modules"
        " modules? refman library sdk spec help-center hc knowledgebase c3ref syntax ref"
    ),
    "tutorial": _segments(
        "tutorials? howtos? how to lessons? courses? learn getting started gettingstarted quickstart walkthrough intro"
        " episodes? recipes? tips novice workshop exercises?"
    ),
    "blog": _segments(r"blogs? posts? weblog entry entries archives? \d{4}/\d\d/[\w-]+"),
    "forum": _segments(
        "forums? viewtopic viewthread showthread threads? topics? t discussions? boards? viewforum"
        " forumdisplay comments"
        " mailing mailman pipermail msg messages? community phpbb showtopic"
    ),
    "qa": _segments("questions? q answers? qa ask"),
    "faq": _segments("faqs? faqinfo"),
    "code_hosting": re.compile(
        r"/(?:blob|tree|commits?|raw|blame|pulls?|pull-requests|merge_requests|issues|releases|compare|diff|browse|src)/"
        r"|/-/|\.git(?:/|$)|/(?:project|package)/[^/]+/?$"
    ),
    "news": _segments(
        "news articles? stor(?:y|ies) politics world sports? business press local nation entertainment opinion breaking"
        " economy international newsroom health tech science lifestyle actualites? nachrichten noticias"
    ),
    "reference": _segments("wiki define definition dictionary encyclop\\w+ glossary terms? word w meaning title index"),
    "shop": _segments(
        "products? p dp gp items? shop store cart basket checkout collections? category sku catalog(?:ue)? buy deals"
        " produkte? add-to-cart wishlist"
    ),
    "service": _segments(
        "login signin sign-in register signup search tags? categor(?:y|ies) about contact privacy terms tos legal"
        " imprint impressum jobs careers user users profile members? account home author events? calendar"
    ),
}
"""By what stands in the path or query."""

TITLE_MARKS: dict[str, re.Pattern[str]] = {
    "docs": _words(
        r"documentation|manual|reference|api|docs|class|module|package|function|v?\d+\.\d+(?:\.\d+)?|man page"
    ),
    "tutorial": _words(r"how to|tutorial|guide|introduction|lesson|getting started|step by step|learn|for beginners"),
    "question": re.compile(r"[?\uff1f]|^(?:how|why|what|when|where|which|is|are|can|does|do|should) "),
    "forum": _words(r"forums?|thread|topic|re:|page \d+|view topic|community|discussion|board|mailing list"),
    "code_hosting": _words(
        r"github|gitlab|bitbucket|at master|at main|commits?|pull request|issue #\d+|repository|pypi|npm"
    ),
    "shop": _words(r"buy|price|shop|store|sale|online|deals?|free shipping|kaufen|best prices?|cart"),
    "reference": _words(r"wiki|wikipedia|encyclopedia|definition|meaning|dictionary|glossary|list of"),
    "faq": _words(r"faq|frequently asked questions|questions and answers|q&a"),
    "blog": _words(r"blog|my|weblog|journal|diary"),
    "news": _words(r"news|says|breaking|report|reuters|times|latest|magazine|daily"),
    "service": _words(
        r"login|log in|sign in|sign up|contact|about us|privacy|terms|home ?page|search|404|welcome|careers"
    ),
}
"""By what stands in the title, in lower case."""

PHRASES: dict[str, tuple[str, ...]] = {
    "docs": ("parameters", "returns", "return value", "deprecated", "arguments", "default value", "new in version",
             "see also", "synopsis", "configuration", "optional", "chapter", "the following", "option"),
    "tutorial": ("step 1", "first,", "let's", "tutorial", "exercise", "in this post", "in this article", "we will",
                 "lesson", "you will learn", "getting started", "learn how"),
    "blog": ("leave a comment", "leave a reply", "posted in", "filed under", "tags:", "posted by", "about me",
             "share this", "my blog", "this post", "read more", "previous post", "next post"),
    "forum": (" wrote:", "quote", "reply", "joined:", "posts:", "re:", "thread", "originally posted", "hi all",
              "thanks",
              "last edited", "topic", "forum", "member", "regards", "cheers", "submitted by"),
    "answers": ("answer", "asked ", "votes", "upvote", "accepted", "question", "i tried", "i have tried", "edit:",
                "comments", "you could", "try this"),
    "news": ("reuters", "associated press", "(ap)", "said ", "told ", "according to", "reporter", "spokesman",
             "officials",
             "announced", "police", "president", "government", "percent", "breaking", "photo:", "sources"),
    "reference": ("[edit]", "may refer to", "references", "citation needed", "etymology", "external links", "synonyms",
                  "noun", "plural", "born ", "is a ", "retrieved", "from wikipedia", "coordinates"),
    "code_hosting": ("commits", "branches", "pull request", "latest commit", "readme.md", "fork", "stars", "releases",
                     "contributors", "license", "git clone", "pip install", "npm install", "issues", "repository"),
    "shop": ("add to cart", "add to basket", "in stock", "out of stock", "free shipping", "sku", "wishlist", "reviews",
             "quantity", "price", "warenkorb", "delivery", "returns policy", "buy now", "checkout", "lieferzeit"),
    "service": ("privacy policy", "terms of service", "cookies", "sign in", "log in", "password", "contact us",
                "personal data", "all rights reserved", "our team", "our services", "sign up", "gdpr"),
}  # fmt: skip
"""By what the text says, in lower case; counted at the start and the end of a page."""
