"""How readily each class is called: the offsets, and the classifier that takes them up."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bisenet.classes import mirror_lut
from bisenet.model import BiSeNet
from bisenet.training.calibrate import at_size, calibrate, fit_offsets
from bisenet.training.loop import normalise

from .helpers import face


def test_offsets_take_back_what_one_class_was_called_too_readily() -> None:
    rng = np.random.default_rng(0)
    truth = rng.choice(3, 4000, p=[0.6, 0.3, 0.1]).astype(np.uint8)
    logits = rng.normal(0, 1, (3, 4000)).astype(np.float32)
    logits[truth, np.arange(4000)] += 3
    fair = float((logits.argmax(0) == truth).mean())
    logits[2] += 2.5
    offsets, before, after = fit_offsets(logits, truth)
    assert offsets[2] - offsets[:2].mean() == pytest.approx(-2.5, abs=0.8)
    assert after > before + 0.2
    corrected = (logits + offsets[:, None]).argmax(0) == truth
    assert corrected.mean() == pytest.approx(fair, abs=0.02)


def test_offsets_stay_where_nothing_is_gained() -> None:
    truth = np.arange(300, dtype=np.uint8) % 3
    offsets, before, after = fit_offsets(np.eye(3, dtype=np.float32)[:, truth] * 9, truth)
    assert offsets.tolist() == [0, 0, 0]
    assert before == after == pytest.approx(2)


def test_the_classifier_takes_the_offsets_up() -> None:
    torch.manual_seed(3)
    model = BiSeNet(19, "resnet18").eval()
    faces = [face(seed) for seed in range(4)]
    x = normalise(torch.tensor(faces[0][0]).permute(2, 0, 1)[None])
    with torch.no_grad():
        (before,) = model.forward_heads(x)
        made = calibrate(model, faces, torch.device("cpu"))
        (after,) = model.forward_heads(x)
    assert made.after > made.before
    assert np.allclose(made.offsets, made.offsets[mirror_lut()[:19]]), "left and right alike"
    assert "head.classifier.bias" not in model.state_dict(), "still the published network"
    moved = (after - before)[0].mean((1, 2)).numpy()
    assert moved == pytest.approx(made.offsets, abs=0.1 * float(np.abs(made.offsets).max()))


def test_faces_are_brought_to_the_size() -> None:
    image, mask = at_size(face(0, 64), 32)
    assert image.shape == (32, 32, 3)
    assert mask.shape == (32, 32)
    assert set(np.unique(mask)) <= set(np.unique(face(0, 64)[1]))
