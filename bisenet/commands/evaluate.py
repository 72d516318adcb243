"""``python -m bisenet evaluate --data DIR``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bisenet.parser import FaceParser
    from bisenet.training.dataset import FaceFile

HELP = "Score weights on a folder of faces and masks."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add = parser.add_argument
    add("--data", required=True, type=Path, metavar="DIR", help="images/ + masks/, same stems")
    add("--labels", default="celebamask-hq", choices=("celebamask-hq", "bisenet"))
    add("--framing", choices=("auto", "whole"), default="whole")
    add("--weights", default="default", help="a name, or a checkpoint's path")
    add("--engine", default="auto")
    add("--flip", action="store_true", help="average with the mirrored photo (twice the work)")
    add("--robustness", action="store_true", help="also score turned, small, dark... photos")
    add(
        "--scenes",
        type=int,
        nargs="?",
        const=8,
        metavar="N",
        help="score whole photos composed from the faces instead, N scenes a setting (default 8)",
    )
    add("--limit", type=int, metavar="N", help="only N faces, evenly spread")
    add("--out", type=Path, metavar="DIR", help="write the scores, tables and chart there")
    add("--json", action="store_true", help="print JSON and nothing else")


def run(args: argparse.Namespace) -> int:
    """Score, print, and write what was asked for."""
    from bisenet.parser import FaceParser
    from bisenet.training import robustness
    from bisenet.training.dataset import find_faces
    from bisenet.training.evaluate import as_table, evaluate, predictor

    if args.limit is not None and args.limit < 1:
        raise ValueError("--limit must be 1 or more.")
    files = find_faces(args.data, args.labels)
    if args.limit is not None and args.limit < len(files):
        files = [files[i * len(files) // args.limit] for i in range(args.limit)]
    parser = FaceParser(weights=args.weights, engine=args.engine)
    if args.scenes is not None:
        return _run_scenes(args, parser, files)
    predict = predictor(parser, args.framing, args.flip)
    evaluation = evaluate(predict, files, progress=True)
    report: dict[str, Any] = evaluation.scores.as_dict()
    report |= {
        "weights": parser.weights.name,
        "engine": str(parser.engine),
        "framing": args.framing,
        "flip": args.flip,
        "seconds": round(evaluation.seconds, 2),
        "worst": {
            path.name: round(miou, 4)
            for path, miou in sorted(evaluation.per_image.items(), key=lambda item: item[1])[:10]
        },
    }
    if args.robustness:
        report["robustness"] = robustness.robustness(
            predict, files, progress=None if args.json else _say
        )
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "scores.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
        if args.robustness:
            robustness.write_report(report["robustness"], args.out)
    if args.json:
        print(json.dumps(report))
        return 0
    print(as_table(evaluation.scores))
    if args.robustness:
        print("\n" + robustness.as_markdown(report["robustness"]))
    return 0


def _run_scenes(args: argparse.Namespace, parser: FaceParser, files: list[FaceFile]) -> int:
    from bisenet.training.scene_report import as_markdown, scene_report

    if args.scenes < 1:
        raise ValueError("--scenes must be 1 or more.")
    report = scene_report(parser, files, args.scenes, progress=None if args.json else _say)
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "scenes.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
        (args.out / "scenes.md").write_text(as_markdown(report) + "\n", "utf-8")
    print(json.dumps(report) if args.json else as_markdown(report))
    return 0


def _say(line: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{line}", end="", file=sys.stderr, flush=True)
