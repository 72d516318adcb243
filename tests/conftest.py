"""What every layer of the tests shares: a real face, and where the data sets lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from bisenet.images import samples

# Threads that wait for each other on a busy machine cost more than they bring in a test. torch
# reads this when it is imported, which most tests spare themselves.
os.environ["OMP_NUM_THREADS"] = "1"

ROOT = Path(__file__).resolve().parent.parent
CASES = ROOT / "tests" / "cases"
# Data sets that the repository does not hold, a folder each; tests without theirs are skipped.
DATA = Path(os.environ.get("BISENET_TEST_DATA", ROOT.parent / "shared" / "data"))
LABELLED = DATA / "celebamask-mini"

needs_labelled_faces = pytest.mark.skipif(
    not LABELLED.is_dir(), reason=f"BISENET_TEST_DATA: no {LABELLED.name} in {DATA}"
)


@pytest.fixture(scope="session")
def portrait() -> Image.Image:
    """A real face, framed like a training crop."""
    return samples.astronaut_face()
