"""``python -m bisenet evaluate --data DIR``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from bisenet.data.faces import FaceFile
    from bisenet.evaluation.pairing import Pair
    from bisenet.parser import FaceParser

HELP = "Score weights on a folder of faces and masks."
T = TypeVar("T")
_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add = parser.add_argument
    add("--data", required=True, type=Path, metavar="DIR", help="images/ + masks/, or a release")
    add("--labels", default="celebamask-hq", choices=("celebamask-hq", "bisenet"))
    add(
        "--framing",
        choices=("auto", "whole", "truth"),
        default="whole",
        help="faces searched, the photo as one face crop, or the box of the mask's face given",
    )
    add("--partial", action="store_true", help="masks leave classes open (252, 254, 255)")
    add("--only", type=Path, metavar="FILE", help="only photos whose SHA-256 this list holds")
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
    from bisenet.data.faces import find_faces
    from bisenet.evaluation import folder, robustness
    from bisenet.evaluation.folder_score import as_table, predictor
    from bisenet.parser import FaceParser, FramingName

    if args.limit is not None and args.limit < 1:
        raise ValueError("--limit must be 1 or more.")
    # These two read the faces as training does.
    files = find_faces(args.data, args.labels) if args.robustness or args.scenes is not None else []
    parser = FaceParser(weights=args.weights, engine=args.engine)
    if args.scenes is not None:
        return _run_scenes(args, parser, _spread(files, args.limit))
    truth_given = args.framing == "truth"
    framing: FramingName = "auto" if truth_given else args.framing
    predict = predictor(parser, framing, args.flip)
    pairing = folder.find_pairs(args.data)
    pairs = pairing.pairs if args.only is None else _listed(pairing.pairs, args.data, args.only)
    evaluation = folder.evaluate(
        predict if args.flip else lambda image: parser.parse(image, framing=framing),
        args.data,
        _spread(pairs, args.limit),
        args.labels,
        progress=_count,
        partial=args.partial,
        boxed=(lambda image, box: parser.parse(image, boxes=[box])) if truth_given else None,
    )
    left_out = (*pairing.problems, *evaluation.problems)
    for problem in left_out[:_SHOWN]:
        print(f"{problem.name}: {problem.reason}", file=sys.stderr)
    if len(left_out) > _SHOWN:
        print(f"... and {len(left_out) - _SHOWN:,} more", file=sys.stderr)
    report: dict[str, Any] = evaluation.scores.as_dict()
    report |= {
        "weights": parser.weights.name,
        "engine": str(parser.engine),
        "framing": args.framing,
        "flip": args.flip,
        "partial": args.partial,
        "seconds": round(evaluation.seconds, 2),
        "worst": folder.worst(evaluation.per_image),
        "looked_at": folder.shares_looked_at(evaluation),
        "faces_found": folder.counted_faces(evaluation),
        "not_scored": {problem.name: problem.reason for problem in left_out},
    }
    if args.robustness:
        report["robustness"] = robustness.robustness(
            predict, _spread(files, args.limit), progress=None if args.json else _say
        )
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "scores.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
        if args.robustness:
            robustness.write_report(report["robustness"], args.out)
    status = 1 if left_out else 0
    if args.json:
        print(json.dumps(report))
        return status
    print(as_table(evaluation.scores))
    if framing == "auto":
        print(f"faces found, photos: {report['faces_found']}")
        looked = {name: share for name, share in report["looked_at"].items() if share < 1}
        print(f"share of true pixels inside the faces' crops, where not 1: {looked}")
    if args.robustness:
        print("\n" + robustness.as_markdown(report["robustness"]))
    return status


def _spread(items: Sequence[T], limit: int | None) -> Sequence[T]:
    if limit is None or limit >= len(items):
        return items
    return [items[i * len(items) // limit] for i in range(limit)]


def _listed(pairs: Sequence[Pair], root: Path, path: Path) -> list[Pair]:
    from bisenet.data.faces import read_hashes
    from bisenet.network.weights import file_hash

    wanted = read_hashes(path)
    chosen = [pair for pair in pairs if file_hash(root / pair.photo) in wanted]
    if not chosen:
        raise ValueError(f"None of the photos in {root} is in {path}.")
    return chosen


def _run_scenes(args: argparse.Namespace, parser: FaceParser, files: Sequence[FaceFile]) -> int:
    from bisenet.evaluation.scene_report import as_markdown, scene_report

    if args.scenes < 1:
        raise ValueError("--scenes must be 1 or more.")
    report = scene_report(parser, files, args.scenes, progress=None if args.json else _say)
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "scenes.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
        (args.out / "scenes.md").write_text(as_markdown(report) + "\n", "utf-8")
    print(json.dumps(report) if args.json else as_markdown(report))
    return 0


def _count(done: int, total: int) -> None:
    _say(f"{done}/{total}")
    if done == total and sys.stderr.isatty():
        print(file=sys.stderr)


def _say(line: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{line}", end="", file=sys.stderr, flush=True)
