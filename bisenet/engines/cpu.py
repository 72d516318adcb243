"""What the CPU's arithmetic units can do, as far as the choice of an engine depends on it."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

INT8 = frozenset({"amx_int8", "avx512_vnni", "avx_vnni", "asimddp", "i8mm"})
BF16 = frozenset({"amx_bf16", "avx512_bf16", "bf16"})
_TITLES = {
    "amx_int8": "AMX int8",
    "amx_bf16": "AMX bf16",
    "avx512_vnni": "AVX-512 VNNI",
    "avx_vnni": "AVX VNNI",
    "avx512_bf16": "AVX-512 BF16",
    "asimddp": "Arm dot products",
    "i8mm": "Arm int8 matrix",
    "bf16": "Arm BF16",
}


@cache
def features(path: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """The flags of ``/proc/cpuinfo``; empty where there is no such file (macOS, Windows)."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return frozenset(value.split())
    return frozenset()


def best_of(wanted: frozenset[str], found: frozenset[str]) -> str:
    """The title of the strongest wanted unit that was found, or an empty text."""
    return next((title for flag, title in _TITLES.items() if flag in wanted & found), "")


@cache
def name(path: Path = Path("/proc/cpuinfo")) -> str:
    """The CPU's name for reports."""
    try:
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "CPU"
