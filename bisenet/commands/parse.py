"""``python -m bisenet parse PHOTO... --out DIR``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HELP = "Parse photos: an indexed PNG mask, an overlay and regions.csv for each."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    parser.add_argument("--framing", choices=("auto", "whole"), default="auto")
    parser.add_argument("--weights", default="default", help="a name, or a checkpoint's path")
    parser.add_argument("--engine", default="auto")


def run(args: argparse.Namespace) -> int:
    """Parse every photo; a bad one is named and the rest go on. Exit code 1 if any failed."""
    from bisenet import export
    from bisenet.images import ImageError, read_photo
    from bisenet.parser import FaceParser
    from bisenet.regions import measure_regions

    parser = FaceParser(args.weights, args.engine)
    args.out.mkdir(parents=True, exist_ok=True)
    failed = 0
    for path, folder in zip(args.photos, _folders(args.photos, args.out), strict=True):
        try:
            photo = read_photo(path)
        except ImageError as error:
            print(f"{path}: {error}", file=sys.stderr)
            failed += 1
            continue
        for notice in photo.notices:
            print(f"{path}: {notice}", file=sys.stderr)
        parsing = parser.parse(photo.image, framing=args.framing)
        regions = measure_regions(parsing)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "mask.png").write_bytes(export.indexed_png(parsing.mask))
        (folder / "overlay.png").write_bytes(export.overlay_png(parsing))
        (folder / "regions.csv").write_bytes(export.regions_csv(regions))
        total = sum(parsing.timings.values())
        print(f"{path}: {len(regions)} regions, {total:.0f} ms -> {folder}")
    print(f"{len(args.photos) - failed} parsed, {failed} failed ({parser.engine})")
    return 1 if failed else 0


def _folders(photos: list[Path], out: Path) -> list[Path]:
    """One folder a photo, named after it; photos of the same stem get a number."""
    folders: list[Path] = []
    for path in photos:
        folder, count = out / path.stem, 1
        while folder in folders:
            count += 1
            folder = out / f"{path.stem}-{count}"
        folders.append(folder)
    return folders
