"""A sliding window over the bytes of a file that is read once, from front to end.

Here: buffering by file offset. Not here: what the bytes mean. The stream need not be seekable.
"""

from __future__ import annotations

import io
from typing import BinaryIO

_CHUNK = 1 << 20


class Window:
    """The bytes of a stream from `hold` on, by their offset in the file.

    `hold` is set by the reader: bytes before it may be forgotten. At most `max_held` bytes (and one chunk) are kept,
    so a reader that holds on for longer loses the oldest bytes: see `start`.
    """

    def __init__(self, stream: BinaryIO, max_held: int) -> None:
        self.hold = 0
        self._stream = stream
        self._max_held = max_held
        self._start = 0
        self._data = b""
        self._ended = False

    @property
    def start(self) -> int:
        """Offset of the oldest byte that is still there."""
        return self._start

    @property
    def end(self) -> int:
        """Offset after the newest byte that was read."""
        return self._start + len(self._data)

    def get(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes at `offset`, which is not before `start`; fewer only at the end of the file."""
        at = offset - self._start
        while at + size > len(self._data) and not self._ended:
            self._fill()
            at = offset - self._start
        return self._data[at : at + size]

    def find(self, pattern: bytes, offset: int) -> int | None:
        """Offset of the next `pattern` at or after `offset`; None if there is none. Holds the place it got to."""
        while True:
            at = self._data.find(pattern, max(0, offset - self._start))
            if at >= 0:
                self.hold = self._start + at
                return self.hold
            offset = max(offset, self.end - len(pattern) + 1)
            self.hold = offset
            if self._ended:
                return None
            self._fill()

    def peek(self, size: int) -> Window:
        """The next `size` bytes from `hold` on as a window of their own."""
        return Window(io.BytesIO(self.get(self.hold, size)), size)

    def _fill(self) -> None:
        chunk = self._stream.read(_CHUNK)
        self._ended = not chunk
        keep = max(self.hold, self.end - self._max_held)
        drop = min(max(0, keep - self._start), len(self._data))
        self._data = self._data[drop:] + chunk
        self._start += drop
