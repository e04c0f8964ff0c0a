"""The headers of the C, C++ and POSIX libraries, which an include means the system's by.

What belongs here: names from the standards (C23, C++23, POSIX.1-2017) and what makes a repository such a library. What
does not: how includes are resolved (`c_family.py`).
"""

from __future__ import annotations

# fmt: off
_C = (
    "assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic "
    "stdbit stdbool stdckdint stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype"
)
_POSIX = (
    "aio cpio dirent dlfcn fcntl fmtmsg fnmatch ftw glob grp iconv langinfo libgen monetary mqueue ndbm netdb nl_types "
    "poll pthread pwd regex sched search semaphore spawn strings stropts syslog tar termios trace ulimit unistd utime "
    "utmpx wordexp"
)
_C_OF_CPP = (
    "cassert cctype cerrno cfenv cfloat cinttypes climits clocale cmath csetjmp csignal cstdarg cstddef cstdint cstdio "
    "cstdlib cstring ctime cuchar cwchar cwctype"
)
_CPP = (
    "algorithm any array atomic barrier bit bitset charconv chrono compare complex concepts condition_variable "
    "coroutine deque exception execution expected filesystem flat_map flat_set format forward_list fstream functional "
    "future generator initializer_list iomanip ios iosfwd iostream istream iterator latch limits list locale map "
    "mdspan memory memory_resource mutex new numbers numeric optional ostream print queue random ranges ratio regex "
    "scoped_allocator semaphore set shared_mutex source_location span spanstream sstream stack stacktrace stdexcept "
    "stdfloat stop_token streambuf string string_view strstream syncstream system_error thread tuple type_traits "
    "typeindex typeinfo unordered_map unordered_set utility valarray variant vector version"
)
# fmt: on

STANDARD = frozenset(f"{name}.h" for name in f"{_C} {_POSIX}".split()) | frozenset(f"{_C_OF_CPP} {_CPP}".split())
"""The headers without a folder."""

STANDARD_FOLDERS = ("sys/", "net/", "netinet/", "arpa/")
"""Where POSIX and the systems have the others."""

CORES = (("stdio.h", "stdlib.h", "string.h"), ("vector", "string", "memory"))
"""A folder with all of one of these belongs to a C or a C++ library, whose own sources mean its headers."""


def is_standard(written: str) -> bool:
    """Whether an include of this path means the system's library, as a rule."""
    return written in STANDARD or written.startswith(STANDARD_FOLDERS)
