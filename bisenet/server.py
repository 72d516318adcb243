"""``python -m bisenet.server``: the production server, which is ``bisenet.serving.app``."""

from __future__ import annotations

import sys

from bisenet.serving.app import create_app as create_app
from bisenet.serving.app import main as main

if __name__ == "__main__":
    sys.exit(main())
