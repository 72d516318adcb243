"""``python -m bisenet recall --data DIR ...``: which faces are found, and which are invented."""

from __future__ import annotations

import argparse
import dataclasses
import json
from itertools import cycle
from pathlib import Path

HELP = "Which faces are found: by pose, size, age, sex, group and skin tone; and invented faces."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add = parser.add_argument
    add("--data", required=True, type=Path, nargs="+", metavar="DIR", help="photos, or images/")
    add("--only", type=Path, nargs="+", metavar="FILE", help="only photos of these SHA-256 lists")
    add("--labels", default="celebamask-hq", choices=("celebamask-hq", "bisenet"))
    add("--limit", type=int, metavar="N", help="only N photos a folder, evenly spread")
    add("--weights", default="default", help="a name, or a checkpoint's path")
    add("--engine", default="auto")
    add("--json", action="store_true", help="print JSON and nothing else")


def run(args: argparse.Namespace) -> int:
    """Search, count, print."""
    from tqdm import tqdm

    from bisenet.data.faces import find_photos, read_hashes
    from bisenet.evaluation import recall
    from bisenet.evaluation.true_faces import mask_of
    from bisenet.network.weights import file_hash
    from bisenet.parser import FaceParser

    if args.limit is not None and args.limit < 1:
        raise ValueError("--limit must be 1 or more.")
    wanted = frozenset[str]().union(*(read_hashes(path) for path in args.only or ()))
    photos: list[tuple[Path, Path]] = []
    for root in args.data:
        of_root = [file.image for file in find_photos(root)]
        if args.only:
            of_root = [path for path in of_root if file_hash(path) in wanted]
        step = 1 if args.limit is None else max(1, -(-len(of_root) // args.limit))
        photos += [(root, path) for path in of_root[::step]]
    if not photos:
        raise ValueError("None of the photos is in the lists.")
    parser = FaceParser(weights=args.weights, engine=args.engine)
    empty = [one for one in (recall.nobody(*p, args.labels) for p in photos) if one is not None]
    empty += recall.textures()
    invented = sum(
        recall.tried(parser, recall.Trial(photo, {}, None)).others
        for photo in tqdm(empty, unit="photo", disable=None)
    )
    canvases, heights = recall.canvases(empty), cycle(recall.HEIGHTS)
    results = []
    for root, path in tqdm(photos, unit="photo", disable=None):
        mask = mask_of(path, root)
        if mask is None:
            canvas = next(canvases)
            trial = recall.composed_trial(parser, path, root.name, next(heights), canvas)
        else:
            labelled = recall.labelled_trial(path, mask, root.name, args.labels)
            if labelled is None:
                continue
            trial = labelled
        results.append(recall.tried(parser, trial))
    rates = recall.table(results)
    low, high = recall.wilson(invented, len(empty))
    if args.json:
        rows = {k: {n: dataclasses.asdict(r) for n, r in of.items()} for k, of in rates.items()}
        print(json.dumps({"rates": rows, "photos_of_nobody": len(empty), "invented": invented}))
        return 0
    print(recall.as_markdown(rates))
    print(
        f"\n{invented} faces invented in {len(empty)} photos of nobody "
        f"(95%: {100 * low:.1f} to {100 * high:.1f} in 100)."
    )
    return 0
