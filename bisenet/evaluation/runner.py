"""One or two networks scored on a set of photos, photo by photo, so that it can be stopped."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bisenet.data.label_mapping import Labelling
from bisenet.data.masks import MaskError, Read, true_classes
from bisenet.evaluation import scoring
from bisenet.evaluation.metrics import Scores
from bisenet.evaluation.survey import Checked
from bisenet.images.archives import ArchiveError, SkippedFile
from bisenet.images.decode import Photo
from bisenet.parse_queue import Parse
from bisenet.parser import FramingName, Parsing
from bisenet.runtime.cancellation import Cancelled
from bisenet.runtime.timing import duration

_STOPPED = "Not scored: the run was stopped before."
# Gives the function that parses a pair's photo: the box of the true face differs by pair.
ParseFor = Callable[[Checked], Parse]


@dataclass(frozen=True)
class EvaluatedNetwork:
    """Weights on an engine. ``engine`` names precision, device and threads."""

    weights: str
    engine: str

    def __str__(self) -> str:
        return f"{self.weights} on {self.engine}"


@dataclass(frozen=True)
class Outcome:
    """The scores of a run.

    Attributes:
        networks: one or two.
        photos: those that were scored, in their order.
        problems: those that were not, with the reason.
        framing: ``whole`` or ``auto``.
        labelling: what the masks' ids were taken for.
        seconds: how long it took.
        stopped: whether it was stopped before its end.
    """

    networks: tuple[EvaluatedNetwork, ...]
    photos: tuple[scoring.ScoredPhoto, ...]
    problems: tuple[SkippedFile, ...]
    framing: FramingName
    labelling: Labelling
    seconds: float
    stopped: bool

    def scores_of(self, network: int) -> list[scoring.PhotoScore]:
        """The photos' scores of one network, 0 or 1."""
        return [photo.scores[network] for photo in self.photos]

    def pooled(self, network: int) -> tuple[Scores, NDArray[np.float64]]:
        """One network's scores over all photos, and its calibration counts ``(B, 3)``."""
        return scoring.pooled(self.scores_of(network), self.labelling.partial)


def evaluate(
    checked: Sequence[Checked],
    read: Read,
    labelling: Labelling,
    networks: Sequence[tuple[EvaluatedNetwork, ParseFor]],
    framing: FramingName,
    progress: Callable[[float, str], None] = lambda _share, _what: None,
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Score every network on every photo; a photo that fails is listed and the rest goes on.

    A photo is parsed by all networks before the next one, so that a stopped run has scored all of
    them on the same photos.

    Args:
        checked: pairs whose ids all mean something under the labelling.
        read: a file's bytes by its name.
        labelling: what the ids mean.
        networks: each with what gives the function that parses a pair's photo.
        framing: for the report; the functions know it.
        progress: gets the share done, 0..1, and a line with rate and time left.
        stop: asked before each photo.
    """
    photos: list[scoring.ScoredPhoto] = []
    problems: list[SkippedFile] = []
    began = time.monotonic()
    stopped = False
    for done, one in enumerate(checked):
        if stop():
            stopped = True
            problems += [SkippedFile(rest.pair.photo, _STOPPED) for rest in checked[done:]]
            break
        elapsed = time.monotonic() - began
        progress(done / len(checked), progress_line(done, len(checked), elapsed))
        try:
            photos.append(_score(one, read, labelling, [parse(one) for _, parse in networks]))
        except Cancelled:  # while it waited in the queue; ``stop``, asked next, ends the run
            problems.append(SkippedFile(one.pair.photo, _STOPPED))
        except (ValueError, OSError, MemoryError, RuntimeError) as error:
            of_mask = isinstance(error, (ArchiveError, MaskError))
            name = one.pair.mask if of_mask else one.pair.photo
            problems.append(SkippedFile(name, str(error) or "There is not enough memory for it."))
    return Outcome(
        networks=tuple(network for network, _ in networks),
        photos=tuple(photos),
        problems=tuple(problems),
        framing=framing,
        labelling=labelling,
        seconds=time.monotonic() - began,
        stopped=stopped,
    )


def progress_line(done: int, total: int, seconds: float) -> str:
    """How far, how fast, how long still: ``12 of 98 photos, 4.1 photos/s, 21 s left``."""
    text = f"{done:,} of {total:,} photos"
    if not done or seconds <= 0:
        return text
    rate = done / seconds
    left = (total - done) / rate
    pace = f"{rate:.1f} photos/s" if rate >= 0.1 else f"{1 / rate:.0f} s a photo"
    return f"{text}, {pace}, {duration(left)} left"


def _score(
    one: Checked, read: Read, labelling: Labelling, parses: Sequence[Parse]
) -> scoring.ScoredPhoto:
    photo_file = read(one.pair.photo)

    def scored(photo: Photo, parsing: Parsing) -> scoring.ScoredPhoto:
        truth = true_classes(one.pair, read, labelling)
        height, width = photo.pixels.shape[:2]
        return scoring.ScoredPhoto(
            pair=one.pair,
            width=width,
            height=height,
            face_height=round(scoring.face_height(truth) * height / truth.shape[0]),
            faces=(len(parsing.faces),),
            thumbnail=scoring.thumbnail(photo.image),
            scores=(scoring.score(truth, parsing, labelling.partial),),
        )

    # Each decodes the photo anew: kept between two places in the queue, nothing would bound it.
    each = [parse(photo_file, scored) for parse in parses]
    return dataclasses.replace(
        each[0],
        faces=tuple(count for one in each for count in one.faces),
        scores=tuple(score for one in each for score in one.scores),
    )
