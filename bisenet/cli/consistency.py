"""``python -m bisenet consistency --data DIR``: how steady labels are on faces without truth."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from bisenet.cli.common import spread

HELP = "On faces without labels: agreement with the mirror image, by group and skin tone."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add = parser.add_argument
    add("--data", required=True, type=Path, metavar="DIR", help="photos, or images/")
    add("--framing", choices=("auto", "whole"), default="whole")
    add("--weights", default="default", help="a name, or a checkpoint's path")
    add("--against", metavar="NAME", help="other weights, in place of the mirror image")
    add("--engine", default="auto")
    add("--limit", type=int, metavar="N", help="only N photos, evenly spread")
    add("--json", action="store_true", help="print JSON and nothing else")


def run(args: argparse.Namespace) -> int:
    """Parse twice, compare, print."""
    import numpy as np
    from tqdm import tqdm

    from bisenet.data.faces import find_photos
    from bisenet.evaluation import consistency
    from bisenet.images.decode import ImageError, load_image
    from bisenet.parser import FaceParser

    files = spread(find_photos(args.data), args.limit)
    parser = FaceParser(weights=args.weights, engine=args.engine)
    other = FaceParser(weights=args.against, engine=args.engine) if args.against else None

    rows = []
    for file in tqdm(files, unit="photo", disable=None):
        try:
            photo = np.asarray(load_image(file.image))
        except ImageError as error:
            tqdm.write(f"{file.image.name}: {error}", file=sys.stderr)
            continue
        if other is None:
            one, mask = consistency.mirrored_agreement(
                lambda pixels: parser.parse(pixels, framing=args.framing).mask, photo
            )
        else:
            mask = parser.parse(photo, framing=args.framing).mask
            one = consistency.agreement(mask, other.parse(photo, framing=args.framing).mask)
        groups = consistency.utkface_groups(file.image.stem)
        degrees = consistency.ita_degrees(photo, mask)
        if degrees is not None:
            groups["skin as pictured (ITA)"] = consistency.ita_name(degrees)
        rows.append((groups, one))
    if not rows:
        raise ValueError(f"{args.data}: no photo can be read.")
    table = consistency.by_group(rows)
    if args.json:
        print(json.dumps(table))
        return 0
    what = f"with {args.against}" if args.against else "with the mirror image"
    print(f"Agreement {what}, background left out.\n")
    print("| | photos | pixels alike | mIoU |\n|---|---|---|---|")
    for kind, groups_of in table.items():
        for name, (count, pixels, miou) in groups_of.items():
            label = "all" if kind == "all" else f"{kind}: {name}"
            print(f"| {label} | {count} | {pixels:.3f} | {miou:.3f} |")
    return 0
