"""Exponential moving average of a model: the weights that are scored and shipped."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)


class ModelEma(Generic[M]):
    """A model that follows another one slowly, its batch statistics included.

    Args:
        model: the model in training.
        decay: how much of the average each step keeps; less in the first steps, so that the
            starting point is soon forgotten.
    """

    def __init__(self, model: M, decay: float = 0.998):
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay
        self.steps = 0

    @torch.no_grad()
    def update(self, model: M) -> None:
        """Move towards ``model``, once a step of the optimizer."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        averages: list[Tensor] = []
        values: list[Tensor] = []
        for average, value in zip(
            self.model.state_dict().values(), model.state_dict().values(), strict=True
        ):
            if average.is_floating_point():
                averages.append(average)
                values.append(value)
            else:
                average.copy_(value)
        torch._foreach_lerp_(averages, values, 1 - decay)
