"""Schemathesis against our own description of the API, on a real server on loopback.

python -m tests.drills.fuzz_api --examples 1000
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.deploy.replicas import Replica

ROOT = Path(__file__).resolve().parents[2]
# A random body fits the description and is no photo all the same, so whether good data is taken
# is not for chance to say.
LEFT_OUT = "positive_data_acceptance,unsupported_method"


def run(url: str, examples: int, seconds: float, seed: int = 1) -> subprocess.CompletedProcess[str]:
    """Ask a ready server all that its description allows, and more; exit code 0 if it kept to it.

    Args:
        examples: requests for each route and kind of data, at most.
        seconds: when it is stopped.
    """
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/api/openapi.json"]
    command += [
        "--max-examples",
        str(examples),
        "--seed",
        str(seed),
        "--phases",
        "coverage,fuzzing",
    ]
    command += ["--exclude-checks", LEFT_OUT, "--request-timeout", "60", "--no-color"]
    command += ["--generation-database", "none"]
    hooks = {"SCHEMATHESIS_HOOKS": "tests.drills.api_hooks", "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory() as folder:  # where it leaves its notes
        return subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **hooks},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )


def main() -> int:
    """The command; schemathesis' exit code."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--examples", type=int, default=1000)
    options.add_argument("--minutes", type=float, default=20.0)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Replica(Path(folder) / "server.log").start()
        try:
            server.wait_ready()
            done = run(server.url, chosen.examples, 60 * chosen.minutes, chosen.seed)
            alive = server.is_ready()
        finally:
            server.kill()
    print(done.stdout, done.stderr, sep="\n")
    print("the server lives" if alive else "THE SERVER IS GONE")
    return done.returncode if alive else 1


if __name__ == "__main__":
    sys.exit(main())
