"""python -m bisenet train-finder: the detector that proposes faces, from labelled aligned faces."""

from __future__ import annotations

import argparse
from pathlib import Path

from bisenet.cli.common import check_resume, given_options

HELP = "train the face finder's detector on a folder of aligned faces and masks"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add = parser.add_argument
    add("--data", type=Path, required=True, help="train/ and val/, or images/ and masks/")
    add("--out", type=Path, required=True, help="folder for checkpoint and weights")
    add("--resume", action="store_true", help="go on from the checkpoint in --out")
    add("--labels", default="celebamask-hq", choices=("celebamask-hq", "bisenet"))
    add("--steps", type=int, help="steps of the run")
    add("--batch", type=int, help="scenes a step")
    add("--size", type=int, help="side of the scenes, a multiple of 128")
    add("--backgrounds", type=int, help="backgrounds that are made ahead")
    add("--seed", type=int)
    add("--peak", type=float, help="highest learning rate")
    add("--photos", type=Path, nargs="+", help="folders of whole photos to learn from besides")
    add("--photos-limit", type=int, help="most photos of such a folder")
    add("--held-out", type=Path, nargs="+", help="lists of photos' SHA-256 to leave out")
    add("--start", type=Path, metavar="CARD", help="go on from these weights")
    add("--licence", help="of the faces, for the weights' card")


def run(args: argparse.Namespace) -> int:
    """Train, score on val where there is one, and say where the weights are."""
    from bisenet.data.faces import find_faces, read_face
    from bisenet.detection.detector import Detector
    from bisenet.detection.finder import LIKELY
    from bisenet.training.detector.scenes import SceneMaker
    from bisenet.training.detector.train import CHECKPOINT, DetectorConfig, DetectorTrainer, score

    given = given_options(args, DetectorConfig)
    given |= {k: tuple(given[k]) for k in ("photos", "held_out") if k in given}
    config = DetectorConfig(**given)
    check_resume(config.out / CHECKPOINT, args.resume)
    trainer = DetectorTrainer(config, say=lambda line: print(line, flush=True))
    if args.resume:
        trainer.resume()
    card = trainer.run()
    val = config.data / "val"
    if val.is_dir():
        pairs = [read_face(file) for file in find_faces(val, config.labels)]
        maker = SceneMaker(pairs, config.seed + 1, min(100, config.backgrounds))
        result = score(Detector(card), maker, 200, LIKELY, config.size)
        print(
            f"val: {result.recall:.3f} of {result.faces} faces proposed, "
            f"{result.false_a_scene:.2f} false a scene"
        )
    print(card)
    return 0
