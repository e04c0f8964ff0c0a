"""What a person expects of the weights of site categories, before any page is seen.

Training pulls towards these numbers where pages say nothing: a category without labelled pages keeps them. Logits, to
be added up; a feature that is not named has 0.
"""

from __future__ import annotations

PRIOR: dict[str, dict[str, float]] = {
    "documentation": {
        "bias": 0.4, "host:docs": 3.0, "path:docs": 2.2, "title:docs": 1.6, "url:versioned": 1.6, "says:docs": 1.6,
        "tags:dl": 1.0, "text:code_share": 1.0, "text:inline_code": 1.5, "text:calls": 1.0, "tags:code": 0.8,
        "tags:pre": 0.6, "text:headings": 0.4, "text:first_person": -1.2, "text:dates": -0.6,
        "text:questions": -0.6,
    },
    "tutorial_or_blog": {
        "bias": 0.6, "host:blog": 3.0, "path:blog": 2.2,
        "path:tutorial": 1.8, "title:tutorial": 1.4, "title:blog": 0.8,
        "url:dated": 1.0, "url:dated_by_month": 1.0, "url:slug": 0.6, "says:blog": 1.6, "says:tutorial": 1.6,
        "text:first_person": 1.4, "text:second_person": 0.8,
        "text:code_share": 0.6, "tags:time": 0.3, "text:length": 0.4,
    },
    "forum": {
        "bias": -0.6, "host:forum": 3.2, "path:forum": 3.0, "title:forum": 1.6, "says:forum": 2.2,
        "tags:blockquote": 0.6,
        "text:first_person": 0.8, "text:questions": 0.8, "text:dates": 0.8, "says:answers": 0.3, "url:numbered": 0.4,
        "text:headings": -0.8,
    },
    "qa": {
        "bias": -1.0, "host:qa": 3.4, "path:qa": 3.0, "path:faq": 3.2, "title:faq": 2.6, "title:question": 1.2,
        "says:answers": 2.0, "text:questions": 1.2, "url:numbered": 0.4, "text:first_person": 0.4,
    },
    "code_hosting": {
        "bias": -1.2, "host:code_hosting": 4.2, "path:code_hosting": 2.2, "title:code_hosting": 2.0,
        "says:code_hosting": 2.2, "text:short_lines": 0.4, "text:code_share": 0.4,
    },
    "news": {
        "bias": -0.2, "host:news": 2.2, "path:news": 2.2, "says:news": 2.2, "title:news": 0.8, "url:dated": 1.0,
        "url:dated_by_month": 0.6, "url:slug": 1.0, "tags:time": 0.5, "tags:article": 0.5, "text:code_share": -2.0,
        "text:inline_code": -1.5, "text:first_person": -1.0, "text:dates": 0.5, "tags:iframe": 0.4, "tags:img": 0.3,
    },
    "reference": {
        "bias": -0.8, "host:reference": 3.4, "path:reference": 1.8, "title:reference": 1.8, "says:reference": 2.2,
        "text:first_person": -1.2, "text:second_person": -0.6, "tags:table": 0.3, "text:code_share": -0.6,
    },
    "shop": {
        "bias": -0.8, "host:shop": 2.0, "path:shop": 2.0, "title:shop": 1.2, "says:shop": 2.4, "text:prices": 2.2,
        "tags:img": 0.8, "tags:form": 0.4, "tags:input": 0.4, "text:code_share": -2.0, "text:short_lines": 0.6,
        "text:first_person": -0.6,
    },
    "other": {
        "bias": 0.4, "url:is_root": 2.4, "path:service": 2.0, "title:service": 2.0, "says:service": 1.6,
        "text:code_share": -2.0, "text:inline_code": -1.0, "text:short_lines": 0.8, "text:length": -1.0,
    },
}  # fmt: skip
