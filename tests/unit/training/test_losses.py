from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from bisenet.data.partial_labels import NOT_HAIR
from bisenet.network.bisenet import BiSeNet
from bisenet.training.losses import (
    at_stride,
    class_weights,
    cross_entropy_and_dice,
    distillation,
    hard_pixel_mean,
    partial_log_likelihood,
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


def test_a_pixel_that_leaves_classes_open_weighs_1_whatever_they_weigh() -> None:
    logits = torch.zeros(1, 19, 1, 1)  # every class is as likely as any other
    target = torch.tensor([[[NOT_HAIR]]], dtype=torch.uint8)
    cross_entropy, _ = cross_entropy_and_dice(logits, target, torch.full((19,), 5.0), 1.0)
    assert cross_entropy.item() == pytest.approx(math.log(19 / 18), rel=1e-4)


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


def test_a_partly_known_pixel_costs_the_sum_of_what_it_may_be() -> None:
    torch.manual_seed(0)
    logits = torch.randn(1, 19, 2, 2)
    p = logits.softmax(1)[0]
    hair = 17
    target = torch.tensor([[[254, 252], [hair, 255]]], dtype=torch.uint8)
    found = partial_log_likelihood(logits.log_softmax(1), target)[0]
    skin = [0, 1, 2, 3, 4, 5, 7, 8, 10, 11, 12, 13, 14]
    assert found[0, 0].item() == pytest.approx(math.log(1 - p[hair, 0, 0].item()), abs=1e-5)
    assert found[0, 1].item() == pytest.approx(math.log(p[skin, 0, 1].sum().item()), abs=1e-5)
    assert found[1, 0].item() == pytest.approx(math.log(p[hair, 1, 0].item()), abs=1e-5)
    assert found[1, 1].item() == 0


def test_dice_counts_pixels_that_say_no_to_a_class() -> None:
    hair = 17
    logits = torch.zeros(1, 19, 1, 4)
    logits[0, hair] = 30.0  # hair everywhere
    weight = torch.ones(19)

    def dice(*values: int) -> float:
        target = torch.tensor([[values]], dtype=torch.uint8)
        return cross_entropy_and_dice(logits, target, weight, 1.0)[1].item()

    assert dice(hair, hair, hair, hair) == pytest.approx(0, abs=1e-5)
    assert dice(hair, hair, 255, 255) == pytest.approx(0, abs=1e-5)
    assert dice(hair, hair, 254, 254) == pytest.approx(1 - 5 / 7, abs=1e-5)
    assert dice(hair, hair, 252, 254) == pytest.approx(1 - 5 / 7, abs=1e-5)


def test_a_student_with_its_teachers_logits_has_nothing_to_learn() -> None:
    torch.manual_seed(0)
    teacher = torch.randn(1, 19, 4, 4)
    assert distillation(teacher.clone(), teacher).item() == pytest.approx(0, abs=1e-6)
    student = torch.randn(1, 19, 4, 4, requires_grad=True)
    loss = distillation(student, teacher.requires_grad_(), temperature=1.0)
    p = teacher.detach().softmax(1)
    expected = (p * (p.log() - student.detach().log_softmax(1))).sum(1).mean()
    torch.testing.assert_close(loss.detach(), expected)
    loss.backward()
    assert student.grad is not None
    assert teacher.grad is None
    wide = torch.randn(1, 19, 8, 8)
    assert torch.isfinite(distillation(wide, teacher))
