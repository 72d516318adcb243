"""``python -m bisenet label --data DIR --out DIR``: masks made by a network, to train on."""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

from bisenet.cli.common import numbers
from bisenet.runtime.atomic import write_json

HELP = "Label photos with a network, for training; below a confidence a pixel stays unknown."
_AT_ONCE = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add = parser.add_argument
    add("--data", required=True, type=Path, metavar="DIR", help="photos, or images/ and masks/")
    add("--out", required=True, type=Path, metavar="DIR", help="gets images/ and masks/")
    add("--weights", default="default", help="a name, or a checkpoint's path")
    add("--labels", default="celebamask-hq", choices=("celebamask-hq", "bisenet"))
    add("--sizes", type=numbers, default="384,512", metavar="N,N", help="network's sides, pixels")
    add("--no-mirror", action="store_true", help="do not average with the mirrored photo")
    add("--confidence", type=float, default=0.6, help="below it a pixel becomes 255 (0.6)")
    add("--no-truth", action="store_true", help="do not let DIR/masks overrule the network")


def run(args: argparse.Namespace) -> int:
    """Label, write, and say how many photos were kept."""
    import torch
    from PIL import Image
    from tqdm import tqdm

    from bisenet.classes import order_lut
    from bisenet.data.faces import find_faces, find_photos, read_face
    from bisenet.network.weights import load_model
    from bisenet.training.pseudo import LabelOptions, label_photos

    options = LabelOptions(sizes=args.sizes, mirror=not args.no_mirror, confidence=args.confidence)
    if any(size < 32 or size % 32 for size in args.sizes):
        raise ValueError("--sizes are multiples of 32, and at least 32.")
    if not 0 <= args.confidence < 1:
        raise ValueError(f"--confidence is 0 or more and less than 1, not {args.confidence}.")
    if args.out.exists() and any(args.out.iterdir()):
        raise ValueError(f"{args.out} is not empty: choose another folder.")
    known = (args.data / "masks").is_dir() and not args.no_truth
    files = find_faces(args.data, args.labels, partial=True) if known else find_photos(args.data)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = load_model(args.weights).to(device).requires_grad_(False)
    lut = order_lut(args.labels)
    images, masks = args.out / "images", args.out / "masks"
    for folder in (images, masks):
        folder.mkdir(parents=True, exist_ok=True)
    kept, unknown, pixels = 0, 0, 0
    for start in tqdm(range(0, len(files), _AT_ONCE), unit="batch", disable=None):
        chosen = files[start : start + _AT_ONCE]
        pairs = [read_face(file) for file in chosen]
        made = label_photos(
            model,
            [photo for photo, _ in pairs],
            options,
            device,
            device.type == "cuda",
            [truth for _, truth in pairs] if known else None,
        )
        for file, mask in zip(chosen, made, strict=True):
            if mask is None:
                continue
            kept, unknown, pixels = kept + 1, unknown + int((mask == 255).sum()), pixels + mask.size
            Image.fromarray(lut[mask]).save(masks / f"{file.image.stem}.png")
            _link(file.image, images / file.image.name)
    share = unknown / max(1, pixels)
    report = {
        "photos": len(files),
        "labelled": kept,
        "left out": len(files) - kept,
        "unknown pixels": round(share, 4),
        "weights": args.weights,
        "sizes": list(options.sizes),
        "mirror": options.mirror,
        "confidence": options.confidence,
    }
    write_json(args.out / "labels.json", report)
    print(
        f"{kept} of {len(files)} photos labelled, {len(files) - kept} left out for want of a "
        f"plausible face; {share:.1%} of the pixels unknown: {args.out}"
    )
    return 0 if kept else 1


def _link(photo: Path, target: Path) -> None:
    """The photo under a second name, or a copy where the disk does not allow that."""
    try:
        os.link(photo, target)
    except OSError:
        shutil.copyfile(photo, target)
