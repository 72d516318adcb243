"""python -m bisenet train: weights from a folder of faces and masks."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bisenet.cli.common import check_resume, given_options

HELP = "train weights on a folder of faces and masks"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add = parser.add_argument
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--data", type=Path, help="images/ + masks/, or CelebAMask-HQ's release")
    given.add_argument("--recipe", type=Path, help="TOML file with data sets, networks and rounds")
    add("--data-root", type=Path, help="folder that the recipe's data sets are in")
    add("--out", type=Path, required=True, help="folder for checkpoint, metrics and weights")
    add("--resume", action="store_true", help="go on from the checkpoint in --out")
    add("--val", type=Path, help="faces to score on (default: DATA/val, or a tenth of DATA)")
    add("--labels", default="celebamask-hq", choices=("celebamask-hq", "bisenet"))
    add("--start", help="weights to start from: a name or a file (default: random)")
    add("--backbone", default="resnet18", choices=("resnet18", "resnet34"))
    add("--backbone-weights", metavar="FILE", help="an ImageNet backbone: what fits is taken")
    add("--phases", help="SIZE[xBATCH]:EPOCHS,... as in 288:30,384:30,512x12:12")
    add("--minutes", type=float, help="bound the run by time; phase lengths become shares of it")
    add("--batch", type=int, help="images a step, where a phase names none")
    add("--accumulate", type=int, help="batches whose gradients add up to one step")
    add("--peak", type=float, help="highest learning rate")
    add("--hard-fraction", type=float, help="share of the pixels, the hardest, in the loss")
    add("--score-every", type=int, help="epochs between scores on val")
    add("--score-size", type=int, help="image size of those scores")
    add("--seed", type=int)
    add("--workers", type=int, help="processes that prepare samples")
    add("--echo", type=int, help="how often each batch is shown, varied anew (for a GPU)")
    add("--save-every", type=int, help="epochs between checkpoints")
    add("--replicas", type=int, help="threads with a part of each batch, for a shared CPU")
    add("--f32", action="store_true", help="no bf16 autocast")
    add("--low-memory", action="store_true", help="read faces from disk each time")
    add("--contact-sheet", type=Path, help="write a picture of augmented samples, and stop")


def run(args: argparse.Namespace) -> int:
    """Train, or resume, and say where the weights are."""
    from bisenet.training.train import CHECKPOINT, TrainConfig, Trainer

    if args.recipe is not None:
        if args.data_root is None:
            raise ValueError("A recipe needs --data-root, the folder that its data sets are in.")
        args.data = args.data_root
    given = given_options(args, TrainConfig)
    config = TrainConfig(**given, bf16=not args.f32, keep_in_memory=not args.low_memory)
    checkpoint = config.out / CHECKPOINT
    check_resume(checkpoint, args.resume, overwrites=not args.contact_sheet)
    trainer = Trainer(config)
    if args.contact_sheet:
        from bisenet.data.contact_sheet import write_contact_sheet

        write_contact_sheet(trainer.dataset, trainer.sampler, args.contact_sheet)
        print(args.contact_sheet)
        return 0
    if args.resume:
        trainer.resume(checkpoint)
    try:
        weights = trainer.run()
    except KeyboardInterrupt:
        print(f"\nStopped after epoch {trainer.epoch}; --resume goes on there.", file=sys.stderr)
        return 130
    print(weights)
    return 0
