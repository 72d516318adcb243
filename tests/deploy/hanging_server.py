"""The production server with one fault: a photo 77 pixels wide is never parsed to its end."""

from __future__ import annotations

import sys
import threading
from typing import Any

import numpy as np

from bisenet import server
from bisenet.parser import FaceParser

HANGS = 77
_parse = FaceParser.parse


def parse(self: FaceParser, image: Any, *args: Any, **options: Any) -> Any:
    """Hang, or parse."""
    if np.asarray(image).shape[1] == HANGS:
        threading.Event().wait()
    return _parse(self, image, *args, **options)


if __name__ == "__main__":
    FaceParser.parse = parse  # type: ignore[method-assign]
    sys.exit(server.main())
