"""Odd pictures through decode, parse, measure, render and export, in a process of its own.

A picture may be refused with a sentence; anything else that is raised is a fault, and so is a
process that ends or that takes too long. The same seed makes the same pictures.

    python -m tests.drills.fuzz_images --inputs 20000 --minutes 30
"""

from __future__ import annotations

import argparse
import json
import queue
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
# No picture that is as small as these may take longer, on a busy machine.
MOST_SECONDS = 60.0
_START_SECONDS = 180.0


@dataclass
class Report:
    """What came of the inputs so far."""

    inputs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    deaths: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    worst_ms: tuple[float, str] = (0.0, "")
    worst_mb: tuple[float, str] = (0.0, "")

    def add(self, result: dict[str, Any]) -> None:
        """Count one input's result."""
        self.inputs += 1
        what = f"seed {result['seed']}: {result['what']}"
        self.outcomes[result["outcome"]] += 1
        if result["outcome"] == "fault":
            self.faults.append(f"{what}: {result['error']}")
        self.worst_ms = max(self.worst_ms, (result["ms"], what))
        self.worst_mb = max(self.worst_mb, (result["mb"], what))

    def __str__(self) -> str:
        lines = [
            f"inputs {self.inputs}: "
            + ", ".join(f"{n} {name}" for name, n in self.outcomes.most_common()),
            f"deaths {len(self.deaths)}, faults {len(self.faults)}",
            f"worst time {self.worst_ms[0]:.0f} ms ({self.worst_ms[1]})",
            f"most memory held {self.worst_mb[0]:.0f} MB ({self.worst_mb[1]})",
        ]
        return "\n".join([*lines, *self.deaths, *self.faults])


def campaign(first: int, inputs: int, minutes: float, every: int = 1) -> Report:
    """Run seeds from ``first`` on; a worker that ends is named and replaced.

    Args:
        every: of how many decoded pictures one is parsed; 1 parses all.
    """
    report = Report()
    end, seed, last = time.monotonic() + 60 * minutes, first, first + inputs
    while seed < last and time.monotonic() < end:
        with _Worker(seed, last, every) as worker:
            for line in worker.lines(end):
                if "begin" in line:
                    seed = line["begin"] + 1
                else:
                    report.add(line)
            if worker.problem:
                report.inputs += 1
                report.deaths.append(f"seed {seed - 1}: {worker.problem}")
    return report


class _Worker:
    """A process that takes pictures through the whole chain, watched from outside."""

    def __init__(self, seed: int, last: int, every: int):
        command = [sys.executable, "-m", "tests.drills.fuzz_images", "--worker"]
        command += ["--seed", str(seed), "--inputs", str(last - seed), "--parse-every", str(every)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, args=(self._process.stdout,), daemon=True).start()
        self.problem = ""

    def _listen(self, out: IO[str]) -> None:
        for line in out:
            self._lines.put(line)
        self._lines.put("")

    def lines(self, end: float) -> Iterator[dict[str, Any]]:
        """What it says, until it is done, ends, hangs, or time is up."""
        patience = _START_SECONDS
        while time.monotonic() < end:
            try:
                line = self._lines.get(timeout=patience)
            except queue.Empty:
                self.problem = f"no answer within {patience:.0f} s"
                return
            if not line:
                if code := self._process.wait():
                    self.problem = f"the process ended with {code}"
                return
            patience = MOST_SECONDS
            yield json.loads(line)

    def __enter__(self) -> _Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def work(first: int, inputs: int, every: int) -> None:
    """Take each seed's picture through the chain and print what came of it, a JSON line each."""
    from bisenet.parser import FaceParser
    from bisenet.runtime.memory import peak_bytes
    from tests.drills.chain import Chain
    from tests.drills.mutate import mutated

    chain = Chain(FaceParser(), every)
    for seed in range(first, first + inputs):
        print(json.dumps({"begin": seed}), flush=True)
        rng = random.Random(seed)
        what, data = mutated(rng)
        _forget_peak()
        began = time.perf_counter()
        outcome, error = chain.run(data, rng)
        result = {
            "seed": seed,
            "what": what,
            "outcome": outcome,
            "error": error,
            "ms": (time.perf_counter() - began) * 1000,
            "mb": peak_bytes() / 2**20,
        }
        print(json.dumps(result), flush=True)


def _forget_peak() -> None:
    """From here on the most memory held is counted anew; Linux only."""
    refs = Path("/proc/self/clear_refs")
    if refs.exists():
        refs.write_text("5")


def main() -> int:
    """The command; 1 where there was a death or a fault."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--inputs", type=int, default=20_000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--minutes", type=float, default=30.0)
    options.add_argument("--parse-every", type=int, default=1)
    options.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.worker:
        work(chosen.seed, chosen.inputs, chosen.parse_every)
        return 0
    report = campaign(chosen.seed, chosen.inputs, chosen.minutes, chosen.parse_every)
    print(report)
    return 1 if report.deaths or report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
