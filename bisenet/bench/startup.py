"""Start-up and memory, each in a process of its own: nothing is warm there but the disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from typing import Any

from bisenet.runtime.memory import peak_bytes, resident_bytes
from bisenet.runtime.paths import ROOT

_SCRIPT = """
import json, sys, time
start = time.perf_counter()
from bisenet.parser import FaceParser
imported = time.perf_counter()
parser = FaceParser(sys.argv[1], sys.argv[2])
opened = time.perf_counter()
from bisenet.images import samples
parser.parse(samples.astronaut(), framing="whole")
parsed = time.perf_counter()
from bisenet.bench.startup import memory
print(json.dumps({"import_s": imported - start, "open_s": opened - imported,
    "first_parse_s": parsed - opened, "engine": str(parser.engine),
    "torch_imported": "torch" in sys.modules, **memory()}))
"""


@dataclass(frozen=True)
class Start:
    """One start: seconds to import, to open the engine, to the first mask; memory in MB."""

    asked: str
    engine: str
    cache: str
    import_s: float
    open_s: float
    first_parse_s: float
    resident_mb: float
    peak_mb: float
    torch_imported: bool

    @property
    def total_s(self) -> float:
        """Seconds from nothing to the first mask."""
        return self.import_s + self.open_s + self.first_parse_s

    def as_row(self) -> dict[str, Any]:
        """Flat, with units in the names."""
        row = asdict(self) | {"total_s": self.total_s}
        return {k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}


def starts(engine: str = "auto", weights: str = "default") -> tuple[Start, Start]:
    """Start twice in fresh processes: with an empty cache of compiled networks, and a full one.

    Raises:
        RuntimeError: the process failed; the message ends with its last line.
    """
    with tempfile.TemporaryDirectory() as folder:
        cold = _start(engine, weights, "empty", folder)
        return cold, _start(engine, weights, "full", folder)


def memory() -> dict[str, float]:
    """Resident and peak memory of this process, MB (2**20 bytes); 0 where it cannot be told."""
    return {"resident_mb": resident_bytes() / 2**20, "peak_mb": peak_bytes() / 2**20}


def _start(engine: str, weights: str, cache: str, folder: str) -> Start:
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    result = subprocess.run(
        [sys.executable, "-c", _SCRIPT, weights, engine],
        capture_output=True,
        text=True,
        env=os.environ
        | {"BISENET_CACHE_DIR": folder, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        check=False,
    )
    if result.returncode:
        last = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"A start with the engine {engine} failed: {last}")
    return Start(asked=engine, cache=cache, **json.loads(result.stdout.splitlines()[-1]))
