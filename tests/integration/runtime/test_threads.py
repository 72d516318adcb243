"""Threads of a real parser."""

from __future__ import annotations

import json
import os
import subprocess
import sys


def test_a_parser_holds_opencv_and_numpy_to_the_quota() -> None:
    """In a process of its own: the first parser decides."""
    script = """
import json, cv2, threadpoolctl
from bisenet import FaceParser
FaceParser()
blas = [p["num_threads"] for p in threadpoolctl.threadpool_info() if p["user_api"] == "blas"]
print(json.dumps([cv2.getNumThreads(), sorted(set(blas))]))
"""
    answer = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "BISENET_THREADS": "3"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(answer.stdout) == [3, [1]]
