"""One batch on several threads: a copy of the network each, one set of weights.

On a shared machine, operators that split their work over threads wait for the slowest at every
layer, and oneDNN's convolution gradients wait by spinning: two busy neighbours on two cores made a
step ten times slower. Here each thread runs its part of the batch through the whole network alone,
and threads meet once a step.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from bisenet.network.bisenet import BiSeNet

LossOf = Callable[[BiSeNet, Tensor, Tensor], Tensor]


class Replicas:
    """A network and its copies, which share its parameters and average its batch statistics.

    With one replica, everything is as without this class. With more, torch's own threads are set
    to one, for the whole process.
    """

    def __init__(self, model: BiSeNet, count: int = 1):
        self.models = [model, *(copy.deepcopy(model) for _ in range(count - 1))]
        for other in self.models[1:]:
            for own, shared in zip(other.parameters(), model.parameters(), strict=True):
                own.data = shared.data
        self._pool = ThreadPoolExecutor(count)
        if count > 1:
            torch.set_num_threads(1)

    def train(self) -> None:
        """Training mode, and the first network's batch statistics everywhere."""
        for model in self.models:
            model.train()
        self._share_statistics()

    @torch.no_grad()
    def _share_statistics(self) -> None:
        for first, *others in zip(*(m.buffers() for m in self.models), strict=True):
            for other in others:
                other.copy_(first)

    def backward(self, images: Tensor, masks: Tensor, loss_of: LossOf) -> float:
        """Add the batch's gradients to the first network's; returns the mean loss.

        The batch is cut into one part a replica. Hard pixels and batch statistics are those of a
        part, and the mean over the parts is what counts.
        """
        count = len(self.models)
        parts = zip(images.chunk(count), masks.chunk(count), strict=True)
        total = len(images)

        def run(model: BiSeNet, part: tuple[Tensor, Tensor]) -> float:
            loss = loss_of(model, *part) * (len(part[0]) / total)
            loss.backward()
            return float(loss.detach())

        if count == 1 or total < count:
            return run(self.models[0], (images, masks))
        loss = sum(self._pool.map(run, self.models, parts))
        self._gather()
        return loss

    @torch.no_grad()
    def _gather(self) -> None:
        for shared, *copies in zip(*(m.parameters() for m in self.models), strict=True):
            for own in copies:
                if own.grad is not None and shared.grad is not None:
                    shared.grad.add_(own.grad)
                own.grad = None
        for average, *values in zip(*(m.buffers() for m in self.models), strict=True):
            if average.is_floating_point():
                for value in values:
                    average.add_(value)
                average.div_(1 + len(values))
        self._share_statistics()
