from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from bisenet.model import BiSeNet
from bisenet.training.losses import (
    at_stride,
    class_weights,
    cross_entropy_and_dice,
    hard_pixel_mean,
    training_loss,
)


def test_hard_pixel_mean_takes_the_largest() -> None:
    losses = torch.tensor([1.0, 8.0, 2.0, 4.0, 100.0])
    valid = torch.tensor([True, True, True, True, False])
    assert hard_pixel_mean(losses, valid, 0.5).item() == 6.0
    assert hard_pixel_mean(losses, valid, 1.0).item() == 3.75
    assert hard_pixel_mean(losses, valid, 0.01).item() == 8.0
    assert hard_pixel_mean(losses, torch.zeros(5, dtype=torch.bool), 0.5).item() == 0.0


def test_cross_entropy_and_dice_by_hand() -> None:
    # Two classes, two pixels: probabilities (3/4, 1/4) and (1/2, 1/2); truth 0 and 1.
    logits = torch.tensor([[[[math.log(3), 0.0]], [[0.0, 0.0]]]])
    target = torch.tensor([[[0, 1]]], dtype=torch.uint8)
    cross_entropy, dice = cross_entropy_and_dice(logits, target, torch.tensor([1.0, 2.0]), 1.0)
    assert cross_entropy.item() == pytest.approx((math.log(4 / 3) + 2 * math.log(2)) / 2)
    first = (2 * 0.75 + 1) / (1.25 + 1 + 1)
    second = (2 * 0.5 + 1) / (0.75 + 1 + 1)
    assert dice.item() == pytest.approx(1 - (first + second) / 2)


def test_ignored_pixels_weigh_nothing() -> None:
    torch.manual_seed(0)
    logits = torch.randn(1, 4, 4, 4)
    target = torch.randint(0, 4, (1, 4, 4), dtype=torch.uint8)
    half = target.clone()
    half[:, 2:] = 255
    weight = torch.ones(4)
    ignored = cross_entropy_and_dice(logits, half, weight, 1.0)
    cut = cross_entropy_and_dice(logits[:, :, :2], target[:, :2], weight, 1.0)
    assert ignored[0].item() == pytest.approx(cut[0].item())
    assert ignored[1].item() == pytest.approx(cut[1].item())
    nothing = torch.full_like(target, 255)
    assert [v.item() for v in cross_entropy_and_dice(logits, nothing, weight, 1.0)] == [0, 0]


def test_plain_cross_entropy_matches_torch() -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 19, 8, 8)
    target = torch.randint(0, 19, (2, 8, 8), dtype=torch.uint8)
    ours, _ = cross_entropy_and_dice(logits, target, torch.ones(19), 1.0)
    torch.testing.assert_close(ours, torch.nn.functional.cross_entropy(logits, target.long()))


def test_rare_classes_weigh_more_within_bounds() -> None:
    pixels = np.array([1_000_000, 10_000, 100, 0])
    weights = class_weights(pixels)
    expected = [(10_000 / 1_000_000) ** 0.25, 1.0, 100**0.25]
    assert weights[:3].tolist() == pytest.approx([max(0.5, expected[0]), 1.0, expected[2]])
    assert weights.max() <= 4


def test_at_stride_keeps_the_corners() -> None:
    mask = torch.arange(64, dtype=torch.uint8).view(1, 8, 8)
    small = at_stride(mask, (2, 2))
    assert small.tolist() == [[[0, 7], [56, 63]]]
    assert torch.equal(at_stride(mask, (8, 8)), mask)


def test_the_networks_loss_falls_when_it_learns() -> None:
    torch.manual_seed(0)
    model = BiSeNet().train()
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    images = torch.randn(2, 3, 64, 64)
    mask = torch.zeros(2, 64, 64, dtype=torch.uint8)
    mask[:, 16:48, 16:48] = 1
    losses = []
    for _ in range(6):
        loss = training_loss(model.forward_heads(images), mask, torch.ones(19))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
