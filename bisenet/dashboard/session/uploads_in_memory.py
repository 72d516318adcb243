"""Photos on their way in stay in memory.

Starlette, which receives uploads for the pages and for the API, writes a file of more than 1 MB to
the temporary folder first. How much can arrive is bounded elsewhere: by the size of an upload, and
by the number that are received at once.
"""

from __future__ import annotations

from starlette.formparsers import MultiPartParser


def keep_in_memory() -> None:
    """Let no part of a form go to disk, in this process, whatever its size."""
    MultiPartParser.spool_max_size = 1 << 40
