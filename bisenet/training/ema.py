"""Exponential moving average of a network: the weights that are scored and shipped."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def average_of(model: nn.Module, decay: float) -> AveragedModel:
    """The model's average in eval mode, its batch statistics included.

    Args:
        decay: share of the average that a step keeps; less in the first steps, so that the
            starting point is soon forgotten.
    """

    def follow(averages: Any, values: Any, steps: Any) -> None:
        early = (2 + int(steps)) / (11 + int(steps))
        get_ema_multi_avg_fn(min(decay, early))(averages, values, steps)

    average = AveragedModel(model, multi_avg_fn=follow, use_buffers=True)
    return average.eval().requires_grad_(False)
