from __future__ import annotations

import pytest
import torch
from torch import nn

from bisenet.training.ema import average_of
from bisenet.training.schedule import Phase, learning_rate, parse_phases, phase_at


def test_phases_are_read_and_found() -> None:
    phases = parse_phases("288:2, 512x12:1.5", batch=16)
    assert phases == (Phase(288, 16, 2), Phase(512, 12, 1.5))
    sizes = [phase_at(phases, p).size for p in (0, 0.5, 2 / 3.5, 0.9, 1.0, 1.2)]
    assert sizes == [288, 288, 512, 512, 512, 512]


@pytest.mark.parametrize("text", ["", "288", "288:0", "100:3", "288x:2", "0:1", "288:2;512:1"])
def test_bad_phases_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"SIZE|multiple|length"):
        parse_phases(text, 16)


def test_rate_warms_up_and_falls_to_its_floor() -> None:
    def rate(progress: float, step: int) -> float:
        return learning_rate(progress, step, peak=1.0, floor=0.01, warmup=10)

    assert rate(0, 0) == pytest.approx(0.1)
    assert rate(0, 9) == pytest.approx(1.0)
    assert rate(0.5, 100) == pytest.approx(0.505)
    assert rate(1, 100) == pytest.approx(0.01)
    assert rate(1.3, 100) == pytest.approx(0.01)


def test_average_follows_weights_and_statistics() -> None:
    model = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1))
    average = average_of(model, decay=0.5)
    average.update_parameters(model)
    start = {k: v.clone() for k, v in average.module.state_dict().items()}
    with torch.no_grad():
        for value in model.state_dict().values():
            value.add_(12)
    average.update_parameters(model)
    share = 3 / 12  # the decay of the second step; the first copies
    for name, value in average.module.state_dict().items():
        moved = (value - start[name]).float()
        torch.testing.assert_close(moved, torch.full_like(moved, 12 * (1 - share)))
    assert not any(p.requires_grad for p in average.parameters())
    assert not average.module.training
