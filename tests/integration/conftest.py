"""The real network, opened once for all tests of this folder."""

from __future__ import annotations

import pytest
from PIL import Image

from bisenet.parser import FaceParser, Parsing


@pytest.fixture(scope="session")
def parser() -> FaceParser:
    """The shipped weights on the default engine."""
    return FaceParser()


@pytest.fixture(scope="session")
def parsing(parser: FaceParser, portrait: Image.Image) -> Parsing:
    """The portrait, parsed once for all tests that only look at it."""
    return parser.parse(portrait, framing="whole")
