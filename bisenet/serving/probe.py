"""``python -m bisenet.serving.probe``: exit code 0 when the server on this machine is ready."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request

from bisenet.runtime.settings import Settings

PATH = "/readyz"


def main() -> int:
    """Ask once."""
    url = f"http://127.0.0.1:{Settings().port}{PATH}"
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return 0 if answer.status == 200 else 1
    except (urllib.error.URLError, OSError):
        return 1


if __name__ == "__main__":
    sys.exit(main())
