"""Engines and training where there is a GPU; skipped elsewhere (docs/performance.md).

Self-contained, since such a machine may lack everything but torch: no shared fixture is used.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from bisenet.classes import NUM_CLASSES
from bisenet.data.device_jitter import jitter
from bisenet.engines.torch_engine import TorchEngine
from bisenet.geometry.crops import normalise
from bisenet.network.bisenet import BiSeNet
from bisenet.training.checkpoint import export_weights
from bisenet.training.losses import cross_entropy_and_dice
from bisenet.training.pseudo import LabelOptions, label_photos

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    export_weights(path, BiSeNet().state_dict())
    return str(path)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def expected(weights: str, pixels: np.ndarray) -> np.ndarray:
    """Logits of the plain network in f32 on the CPU."""
    from bisenet.network.weights import load_model

    with torch.inference_mode():
        return load_model(weights).forward_heads(torch.from_numpy(normalise(pixels)))[0].numpy()


@pytest.mark.parametrize(("bf16", "tolerance"), [(False, 2e-3), (True, 3e-2)])
def test_logits_agree_with_the_cpu(
    weights: str, pixels: np.ndarray, expected: np.ndarray, bf16: bool, tolerance: float
) -> None:
    engine = TorchEngine(weights, bf16=bf16)
    assert engine.info.device == "cuda"
    for found in (engine.infer(normalise(pixels)), engine.infer_pixels(pixels)):
        error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
        assert error < tolerance


def test_auto_takes_the_gpu(weights: str) -> None:
    from bisenet.engines import open_engine

    assert open_engine("auto", weights).info.device == "cuda"


def test_too_large_a_batch_goes_one_by_one(
    weights: str, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = TorchEngine(weights)
    whole = engine.infer_pixels(pixels)
    run = engine._model.forward_heads

    def full(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        if len(x) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return run(x)

    monkeypatch.setattr(engine._model, "forward_heads", full)
    np.testing.assert_allclose(engine.infer_pixels(pixels), whole, rtol=1e-2, atol=1e-3)


def test_losses_agree_with_the_cpu() -> None:
    torch.manual_seed(1)
    logits = torch.randn(2, NUM_CLASSES, 16, 16)
    target = torch.randint(0, NUM_CLASSES, (2, 16, 16), dtype=torch.uint8)
    target[0, :4], target[0, 4:8], target[1, :4] = 254, 252, 255
    weight = torch.rand(NUM_CLASSES) + 0.5
    here = cross_entropy_and_dice(logits, target, weight, 0.4)
    there = cross_entropy_and_dice(logits.cuda(), target.cuda(), weight.cuda(), 0.4)
    for a, b in zip(here, there, strict=True):
        torch.testing.assert_close(a, b.cpu(), rtol=1e-4, atol=1e-5)


def test_variation_and_labels_on_the_gpu(pixels: np.ndarray) -> None:
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).cuda()
    moved, masks = jitter(images, torch.full((2, 128, 128), 4, dtype=torch.uint8).cuda())
    assert moved.shape == images.shape
    assert set(torch.unique(masks).tolist()) <= {4, 5, 255}
    model = BiSeNet().cuda().eval()
    options = LabelOptions(sizes=(64,), confidence=0.0)
    assert len(label_photos(model, list(pixels), options, torch.device("cuda"))) == 2


def test_prepared_batches_arrive() -> None:
    data = TensorDataset(torch.ones(4, 3), torch.zeros(4))
    for images, _ in DataLoader(data, batch_size=2, pin_memory=True):
        assert images.is_pinned()
        assert images.cuda(non_blocking=True).sum().item() == 6
