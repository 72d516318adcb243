"""``python -m bisenet evaluate --data DIR``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bisenet.cli.common import say, spread
from bisenet.runtime.atomic import write_json, write_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bisenet.data.faces import FaceFile
    from bisenet.data.pairing import Pair
    from bisenet.parser import FaceParser

HELP = "Score weights on a folder of faces and masks."
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
    from bisenet.data.label_mapping import of_order
    from bisenet.data.masks import true_classes
    from bisenet.evaluation import folder, report, robustness
    from bisenet.evaluation.flip import flip_averaged
    from bisenet.evaluation.runner import EvaluatedNetwork
    from bisenet.evaluation.survey import Checked
    from bisenet.parse_queue import Parse, unqueued
    from bisenet.parser import FaceParser, FramingName, Parsing

    if args.flip and args.framing != "whole":
        raise ValueError("Flip averaging is for aligned photos: use it with --framing whole.")
    # These two read the faces as training does.
    files = find_faces(args.data, args.labels) if args.robustness or args.scenes is not None else []
    parser = FaceParser(weights=args.weights, engine=args.engine)
    if args.scenes is not None:
        return _run_scenes(args, parser, spread(files, args.limit))
    framing: FramingName = "auto" if args.framing == "truth" else args.framing
    labelling = of_order(args.labels, args.partial)
    pairing = folder.find_pairs(args.data)
    pairs = pairing.pairs if args.only is None else _listed(pairing.pairs, args.data, args.only)
    read = folder.reader(args.data)

    def parse(photo: NDArray[np.uint8]) -> Parsing:
        return flip_averaged(parser, photo) if args.flip else parser.parse(photo, framing)

    def parse_for(pair: Checked) -> Parse:
        if args.framing == "truth":
            truth = true_classes(pair.pair, read, labelling)
            box = folder.true_box(truth, pair.width, pair.height)
            if box is not None:
                return unqueued(lambda photo: parser.parse(photo, boxes=[box]))
        return unqueued(parse)

    outcome = folder.evaluate(
        args.data,
        spread(pairs, args.limit),
        labelling,
        EvaluatedNetwork(parser.weights.name, str(parser.engine)),
        parse_for,
        framing,
        lambda _share, what: say(what),
    )
    say("")
    left_out = (*pairing.problems, *outcome.problems)
    for problem in left_out[:_SHOWN]:
        print(f"{problem.name}: {problem.reason}", file=sys.stderr)
    if len(left_out) > _SHOWN:
        print(f"... and {len(left_out) - _SHOWN:,} more", file=sys.stderr)
    document = report.network_document(outcome, 0) | {
        "framing": args.framing,
        "flip": args.flip,
        "partial": args.partial,
        "looked_at": report.share_inside_crops(outcome),
        "faces_found": report.faces_found(outcome),
        "not_scored": {problem.name: problem.reason for problem in left_out},
    }
    if args.robustness:
        document["robustness"] = robustness.robustness(
            lambda photo: parse(photo).mask,
            spread(files, args.limit),
            progress=None if args.json else say,
        )
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
        write_json(args.out / "scores.json", document)
        if args.robustness:
            robustness.write_report(document["robustness"], args.out)
    status = 1 if left_out else 0
    if args.json:
        print(json.dumps(document))
        return status
    print(report.text_table(outcome.pooled(0)[0]))
    if framing == "auto":
        print(f"faces found, photos: {document['faces_found']}")
        inside = {name: share for name, share in document["looked_at"].items() if share < 1}
        print(f"share of true pixels inside the faces' views, where not 1: {inside}")
    if args.robustness:
        print("\n" + robustness.as_markdown(document["robustness"]))
    return status


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
    report = scene_report(parser, files, args.scenes, progress=None if args.json else say)
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
        write_json(args.out / "scenes.json", report)
        write_text(args.out / "scenes.md", as_markdown(report) + "\n")
    print(json.dumps(report) if args.json else as_markdown(report))
    return 0
