"""How many threads may work: the container's CPU quota, not the host's core count.

A container with a quota of two CPUs on a 64-core host sees 64 cores. With 64 threads it spends its
quota in the first milliseconds of each period and then stands still until the next.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import cv2
from threadpoolctl import threadpool_limits

VARIABLE = "BISENET_THREADS"


def thread_count() -> int:
    """Threads for the network: ``BISENET_THREADS``, else what the CPU quota and affinity allow.

    Raises:
        ValueError: ``BISENET_THREADS`` is not a whole number of at least 1.
    """
    text = os.environ.get(VARIABLE)
    if not text:
        return usable_cpus()
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{VARIABLE} must be a whole number of at least 1, not {text!r}.")
    return int(text)


@cache
def bind_libraries() -> None:
    """Hold OpenCV's and numpy's own threads to ``thread_count``; once a process.

    Neither knows a cgroup v2 quota. numpy's wait for more to do at full speed: on two cores they
    make the network that runs next nearly twice as slow, and its matrices here are small.

    Raises:
        ValueError: as ``thread_count``.
    """
    cv2.setNumThreads(thread_count())
    threadpool_limits(1, user_api="blas")


def usable_cpus(root: Path = Path("/")) -> int:
    """Whole CPUs that this process may use: the smaller of its affinity and its cgroup's quota.

    A quota of 1.5 CPUs gives 1: two threads would be stopped for a quarter of every period, and
    the slowest parses would be slower than with one.
    """
    try:
        cpus = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        cpus = os.cpu_count() or 1
    quota = cpu_quota(root)
    return cpus if quota is None else max(1, min(cpus, int(quota)))


def cpu_quota(root: Path = Path("/")) -> float | None:
    """CPUs that the cgroup allows (v2's ``cpu.max``, v1's ``cpu.cfs_quota_us``), None: no limit.

    A group is bound by its ancestors too, so the smallest quota on the way up counts.
    """
    quotas = [q for q in (*_quotas_v2(root), *_quotas_v1(root)) if q is not None]
    return min(quotas, default=None)


def _quotas_v2(root: Path) -> Iterator[float | None]:
    for folder in _groups(root, root / "sys/fs/cgroup", ""):
        quota, _, period = _read(folder / "cpu.max").partition(" ")
        yield _ratio(quota, period)


def _quotas_v1(root: Path) -> Iterator[float | None]:
    for mount in ("cpu", "cpu,cpuacct"):
        for folder in _groups(root, root / "sys/fs/cgroup" / mount, "cpu"):
            yield _ratio(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))


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
