"""Imported by the fork server only: extracts a page that reaches each compiled kernel, so that workers start with them.

Loading them from numba's cache costs each process about 0.5 s. What belongs here: one page, and the call.
"""

from __future__ import annotations

from seed_platform.extraction.page import extract

_PAGE = """<html lang="en"><head><title>t</title></head><body class="page"><nav><a href="/">home</a></nav>
<p>words <code>x</code></p><pre class="language-python">x = 1</pre><table><tr><td>a</td><td>b</td></tr></table>
</body></html>"""


def load() -> None:
    """Call each kernel once, with the types that pages are read with."""
    extract(_PAGE)


load()
