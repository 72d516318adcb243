"""What a container may use, as the kernel's control groups tell it (v1 and v2)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def cpu_quota(root: Path = Path("/")) -> float | None:
    """CPUs that the group allows (v2's ``cpu.max``, v1's ``cpu.cfs_quota_us``), None: no limit.

    A group is bound by its ancestors too, so the smallest quota on the way up counts.
    """
    quotas = []
    for folder in _groups(root, root / "sys/fs/cgroup", ""):
        quota, _, period = _read(folder / "cpu.max").partition(" ")
        quotas.append(_ratio(quota, period))
    for mount in ("cpu", "cpu,cpuacct"):
        for folder in _groups(root, root / "sys/fs/cgroup" / mount, "cpu"):
            period = _read(folder / "cpu.cfs_period_us")
            quotas.append(_ratio(_read(folder / "cpu.cfs_quota_us"), period))
    return min((q for q in quotas if q is not None), default=None)


def memory_limit(root: Path = Path("/")) -> int | None:
    """Bytes that this process may use: its group's limit, or all there are. None: unknown."""
    limits = []
    if hasattr(os, "sysconf"):  # not on Windows
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    v1 = root / "sys/fs/cgroup/memory"
    files = [folder / "memory.max" for folder in _groups(root, root / "sys/fs/cgroup", "")]
    files += [folder / "memory.limit_in_bytes" for folder in _groups(root, v1, "memory")]
    # "max" and no such file are no limit.
    limits += [int(text) for text in map(_read, files) if text.isdecimal()]
    return min(limits, default=None)


def _groups(root: Path, mount: Path, controller: str) -> Iterator[Path]:
    """This process's group and its ancestors, up to the mount.

    Inside a container the mount often is the group itself and the path in ``/proc`` is the host's;
    the folders that do not exist here are passed over.
    """
    path = ""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if controller in controllers.split(","):
            path = group.strip("/")
            break
    folder = mount / path if ".." not in path else mount
    while folder != mount:
        yield folder
        folder = folder.parent
    yield mount


def _ratio(quota: str, period: str) -> float | None:
    try:
        microseconds, every = int(quota), int(period)
    except ValueError:  # "max", or no such file
        return None
    return microseconds / every if microseconds > 0 and every > 0 else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
