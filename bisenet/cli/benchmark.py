"""``python -m bisenet benchmark``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

HELP = "Measure speed: engines side by side, a photo's whole way, start-up and memory."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add = parser.add_argument
    add("--quick", action="store_true", help="512 pixels, one image, about a minute")
    add("--network-only", action="store_true", help="engines side by side and nothing else")
    add("--sizes", type=_numbers, metavar="N,N", help="input sizes, pixels (256,384,512,768)")
    add("--batches", type=_numbers, metavar="N,N", help="images at once (1,2,4,8)")
    add("--engines", help="comma-separated: engines, published, onnxruntime (all)")
    add("--threads", type=int, help="for the network (default: what the CPU quota allows)")
    add("--seconds", type=float, help="time for each backend, size and batch (4)")
    add("--weights", default="default", help="a name, or a checkpoint's path")
    add("--out", type=Path, metavar="FILE", help="also write the JSON there")
    add("--json", action="store_true", help="print JSON and nothing else")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    from bisenet.bench import backends, latency, report

    if args.threads is not None and args.threads < 1:
        raise ValueError("--threads must be 1 or more.")
    effort = latency.QUICK if args.quick else latency.Effort()
    if args.seconds:
        effort = latency.Effort(effort.runs, args.seconds)
    names = args.engines.split(",") if args.engines else backends.default_names()
    result = report.benchmark(
        names,
        args.sizes or ((512,) if args.quick else latency.SIZES),
        args.batches or ((1,) if args.quick else latency.BATCHES),
        effort,
        args.weights,
        args.threads,
        _say,
        quick=args.quick,
        network_only=args.network_only,
    )
    _say("")
    if args.out is not None:
        args.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result) if args.json else report.as_text(result))
    return 0


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list such as 256,512") from error


def _say(line: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
