"""``python -m bisenet benchmark``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from bisenet.cli.common import numbers, say
from bisenet.runtime.atomic import write_json

HELP = "Measure speed: engines side by side, a photo's whole way, start-up and memory."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add = parser.add_argument
    add("--quick", action="store_true", help="512 pixels, one image, about a minute")
    add("--network-only", action="store_true", help="engines side by side and nothing else")
    add("--finding", action="store_true", help="what finding faces costs and nothing else")
    add("--sizes", type=numbers, metavar="N,N", help="input sizes, pixels (256,384,512,768)")
    add("--batches", type=numbers, metavar="N,N", help="images at once (1,2,4,8)")
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
    if args.finding:
        return _finding(args)
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
        say,
        quick=args.quick,
        network_only=args.network_only,
    )
    say("")
    if args.out is not None:
        write_json(args.out, result)
    print(json.dumps(result) if args.json else report.as_text(result))
    return 0


def _finding(args: argparse.Namespace) -> int:
    from bisenet.bench import finding
    from bisenet.parser import FaceParser

    if args.threads is not None:
        raise ValueError("--finding takes its threads from BISENET_THREADS; leave out --threads.")
    parser = FaceParser(args.weights)
    runs = 3 if args.quick else finding.RUNS
    costs = finding.finding_costs(parser, runs, say)
    result = {
        "engine": str(parser.engine),
        "runs": runs,
        "finding": [cost.as_row() for cost in costs],
    }
    say("")
    if args.out is not None:
        write_json(args.out, result)
    print(json.dumps(result) if args.json else finding.as_text(result))
    return 0
