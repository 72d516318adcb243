"""The whole benchmark as one report: JSON for machines, tables for people.

docs/performance.md describes every key of the JSON.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import metadata
from typing import Any

from bisenet.bench import backends, concurrency, end_to_end, latency, profile, startup
from bisenet.engines import EngineError, cpu
from bisenet.parser import FaceParser
from bisenet.runtime.cgroup import cpu_quota
from bisenet.runtime.threads import thread_count, usable_cpus

SCHEMA = 1
_PACKAGES = ("openvino", "torch", "onnxruntime", "numpy", "opencv-python-headless", "pillow")
Say = Callable[[str], None]


def benchmark(
    names: Sequence[str],
    sizes: Sequence[int],
    batches: Sequence[int],
    effort: latency.Effort,
    weights: str = "default",
    threads: int | None = None,
    say: Say = lambda line: None,
    *,
    quick: bool = False,
    network_only: bool = False,
) -> dict[str, Any]:
    """Measure what ``python -m bisenet benchmark`` reports.

    Args:
        names, weights, threads: as ``backends.open_backends`` takes them.
        sizes, batches, effort: as ``latency.compare`` takes them.
        say: called with what is measured next.
        quick: fewer runs, and no profile.
        network_only: no photo is parsed, so any machine with torch will do.

    Raises:
        ValueError: a size, a batch or a backend's name is wrong.
        WeightsError: the weights cannot be loaded.
    """
    say("opening the backends")
    entered, refused = backends.open_backends(names, weights, threads)
    table = latency.compare(
        entered, sizes, batches, effort, lambda share, what: say(f"{share:4.0%} {what}")
    )
    network = {
        "schema": SCHEMA,
        "machine": machine(),
        "weights": weights,
        "backends": {one.name: one.what for one in entered},
        "contestants": {one.name: one.what for one in entered},  # the old name, for one release
        "refused": {one.name: one.reason for one in refused},
        "table": [cell.as_row() for cell in table.cells],
        "ratios": [ratio.as_row() for ratio in table.ratios],
    }
    if network_only:
        return network
    say("a photo's whole way")
    parser = FaceParser(weights)
    runs = 8 if quick else 25
    photos = [end_to_end.photo_times(parser, framing, runs) for framing in ("whole", "auto")]
    folder = end_to_end.folder_images_per_second(parser, 8 if quick else 32)
    say("sixteen people at once")
    people = concurrency.measure(parser)
    say("start-up and memory")
    engines = ["auto", *(one.name for one in entered if one.name == "torch")]
    started = [start for engine in engines for start in startup.starts(engine, weights)]
    say("where the network's time goes")
    profiles = [] if quick else list(_profiles(entered, weights, threads))
    return {
        **network,
        "weights": parser.weights.name,
        "engine": str(parser.engine),
        "why": parser.engine.reason,
        "photo": [photo.as_row() for photo in photos],
        "folder_images_per_s": round(folder, 2),
        "concurrency": people.as_row(),
        "crowd": people.as_row(),  # the old name, for one release
        "starts": [start.as_row() for start in started],
        "profile": [row for one in profiles for row in one.rows()],
    }


def _gpu() -> str:
    """The GPU that torch would use, or nothing."""
    torch = sys.modules.get("torch")  # not imported only to be asked
    return torch.cuda.get_device_name(0) if torch and torch.cuda.is_available() else ""


def machine() -> dict[str, Any]:
    """CPU, its limits here, the GPU if any, and the versions that were measured."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "cpu": cpu.name(),
        "gpu": _gpu(),
        "units": [t for t in (cpu.best_of(s, cpu.features()) for s in (cpu.INT8, cpu.BF16)) if t],
        "usable_cpus": usable_cpus(),
        "cpu_quota": cpu_quota(),
        "threads": thread_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": versions,
    }


def as_text(report: Mapping[str, Any]) -> str:
    """The report as tables for a terminal."""
    host = report["machine"]
    lines = [
        f"{host['cpu']} ({', '.join(host['units']) or 'no matrix units'}), "
        f"{host['threads']} of {host['usable_cpus']} CPUs, weights {report['weights']}",
        *([f"auto runs {report['engine']}. {report['why']}"] if "engine" in report else []),
        *([host["gpu"]] if host["gpu"] else []),
        "",
        *_table(
            report["table"],
            {
                "backend": "{backend}",
                "threads": "{threads}",
                "size": "{size}",
                "batch": "{batch}",
                "runs": "{runs}",
                "median ms": "{median_ms:.1f}",
                "p95 ms": "{p95_ms:.1f}",
                "images/s": "{images_per_s:.1f}",
            },
        ),
        "",
        *(f"{name}: {what}" for name, what in report["backends"].items()),
        *(f"{name} did not take part. {reason}" for name, reason in report["refused"].items()),
        "",
        *_table(
            [row for row in report["ratios"] if row["backend"] != backends.PUBLISHED],
            {
                "times faster (paired medians)": "{backend}",
                "than": "{reference}",
                "size": "{size}",
                "batch": "{batch}",
                "ratio": "{times_faster:.2f}",
            },
        ),
        "",
    ]
    if "photo" not in report:
        return "\n".join(lines)
    for photo in report["photo"]:
        stages = ", ".join(f"{name} {ms:.1f}" for name, ms in photo["stages_ms"].items())
        lines.append(
            f"{photo['megapixels']:.0f}-megapixel JPEG, framing {photo['framing']}: bytes to mask "
            f"{photo['bytes_to_mask_median_ms']:.1f} ms (p95 {photo['bytes_to_mask_p95_ms']:.1f}), "
            f"{photo['ratio']:.2f} times the forward pass of {photo['forward_median_ms']:.1f} ms "
            f"({stages})"
        )
    people = report["concurrency"]
    lines += [
        f"a folder of 512 x 512 JPEGs: {report['folder_images_per_s']:.1f} images/s",
        f"{people['people']} people at once: {people['failures']} failures, {people['mixed_up']} "
        f"mixed up, {people['together_images_per_s']:.1f} images/s together and "
        f"{people['alone_images_per_s']:.1f} one by one, p95 {people['p95_ms']:.0f} ms "
        f"(queue's bound {people['queue_bound_ms']:.0f} ms)",
        "",
        *_table(
            report["starts"],
            {
                "start with": "{asked}",
                "cache": "{cache}",
                "import s": "{import_s:.2f}",
                "open s": "{open_s:.2f}",
                "first mask s": "{first_parse_s:.2f}",
                "resident MB": "{resident_mb:.0f}",
                "peak MB": "{peak_mb:.0f}",
            },
        ),
    ]
    if report["profile"]:
        columns = {
            "precision": "{precision}",
            "part of the network": "{part}",
            "ms": "{ms:.2f}",
            "GFLOP": "{gflop:.2f}",
            "of measured peak": "{peak_share:.0%}",
        }
        lines += ["", *_table(report["profile"], columns)]
    return "\n".join(lines)


def _profiles(
    entered: Sequence[backends.Backend], weights: str, threads: int | None
) -> Iterable[profile.Profile]:
    for one in entered:
        if not one.name.startswith("openvino"):
            continue
        try:
            yield profile.profile(one.precision, weights, threads=threads)
        except EngineError:
            continue


def _table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> list[str]:
    """Aligned lines. ``columns``: header to how a cell is written from its row."""
    cells = [list(columns), *([how.format(**row) for how in columns.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if i == 0 else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]
