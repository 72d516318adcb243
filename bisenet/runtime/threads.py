"""How many threads may work: the container's CPU quota, not the host's core count.

A container with a quota of two CPUs on a 64-core host sees 64 cores. With 64 threads it spends its
quota in the first milliseconds of each period and then stands still until the next.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import cv2
from threadpoolctl import threadpool_limits

from bisenet.runtime.cgroup import cpu_quota
from bisenet.runtime.settings import Settings


def thread_count() -> int:
    """Threads for the network: ``BISENET_THREADS``, else what the CPU quota and affinity allow.

    Raises:
        ValueError: ``BISENET_THREADS`` is not a whole number of at least 1.
    """
    return Settings().threads or usable_cpus()


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
