"""The network: its heads, and the counts that docs/network.md sets beside the paper's."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bisenet.network.bisenet import BACKBONES, BackboneName, BiSeNet, SpatialPath
from bisenet.network.xception import Xception39


def gmacs(module: nn.Module, height: int, width: int) -> float:
    """Multiply-adds in thousand millions for one image; torch counts each as two operations."""
    image = torch.empty(1, 3, height, width, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module.to("meta")(image)
    return counter.get_total_flops() / 2e9


def millions(module: nn.Module) -> float:
    return sum(parameter.numel() for parameter in module.parameters()) / 1e6


def build(backbone: BackboneName = "resnet18", spatial_path: bool = False) -> BiSeNet:
    with torch.device("meta"):
        return BiSeNet(backbone=backbone, spatial_path=spatial_path)


@pytest.mark.parametrize("spatial_path", [False, True])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_three_heads_in_training_and_the_main_one_at_inference(
    backbone: BackboneName, spatial_path: bool
) -> None:
    model = build(backbone, spatial_path)
    images = torch.empty(2, 3, 49, 67, device="meta")

    strides = [tuple(logits.shape) for logits in model.forward_heads(images)]
    assert strides == [(2, 19, 7, 9), (2, 19, 7, 9), (2, 19, 4, 5)]
    assert [tuple(logits.shape) for logits in model(images)] == [(2, 19, 49, 67)] * 3

    model.eval()
    (main,) = model.forward_heads(images)
    assert tuple(main.shape) == (2, 19, 7, 9)
    assert tuple(model(images).shape) == (2, 19, 49, 67)


def test_the_papers_form_trains_and_infers() -> None:
    model = BiSeNet(3, "xception39", spatial_path=True)
    images = torch.randn(2, 3, 64, 80)
    torch.stack([logits.square().mean() for logits in model(images)]).sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []

    model.eval()
    with torch.inference_mode():
        (main,) = model.forward_heads(images)
        logits = model(images)
    expected = nn.functional.interpolate(main, (64, 80), mode="bilinear", align_corners=True)
    torch.testing.assert_close(logits, expected)


def test_the_published_variant_keeps_its_names() -> None:
    names = {name.rsplit(".", 1)[0] for name in build().state_dict()}
    assert {name.split(".")[0] for name in names} == {
        *("context_path", "fusion", "head", "head16", "head32")
    }
    assert {
        *("context_path.backbone.layer4.1.conv2", "context_path.arm16.attention_bn"),
        *("context_path.conv_avg.bn", "fusion.excite", "head32.classifier"),
    } <= names


def test_an_unknown_backbone_gets_a_sentence() -> None:
    with pytest.raises(
        ValueError, match="Unknown backbone 'vgg16'; choose from resnet18, resnet34"
    ):
        BiSeNet(backbone="vgg16")  # type: ignore[arg-type]


def test_counts_of_the_published_variant() -> None:
    model = build()
    assert millions(model) == pytest.approx(13.300416)
    assert 2 * gmacs(model.eval(), 512, 512) == pytest.approx(26.775, abs=1e-3)
    model.training = True  # all three heads
    assert 2 * gmacs(model, 512, 512) == pytest.approx(27.542, abs=1e-3)
    assert millions(build("resnet34")) == pytest.approx(23.408576)


@pytest.mark.parametrize(
    ("backbone", "parameters", "multiply_adds"),
    [("resnet18", 12.816704, 11.242), ("xception39", 1.464504, 2.726)],
)
def test_counts_of_the_papers_form(
    backbone: BackboneName, parameters: float, multiply_adds: float
) -> None:
    model = build(backbone, spatial_path=True).eval()
    assert millions(model) - millions(model.head16) - millions(model.head32) == pytest.approx(
        parameters
    )
    assert gmacs(model, 360, 640) == pytest.approx(multiply_adds, abs=1e-3)


def test_counts_of_the_papers_backbones() -> None:
    with torch.device("meta"):
        xception, resnet = Xception39(), build().context_path.backbone
        spatial_path = SpatialPath()
    assert millions(xception) == pytest.approx(0.299448)
    assert gmacs(xception, 360, 640) == pytest.approx(0.1859, abs=1e-4)
    assert gmacs(xception, 224, 224) == pytest.approx(0.0395, abs=1e-4)
    assert millions(resnet) == pytest.approx(11.176512)
    assert gmacs(resnet, 360, 640) == pytest.approx(8.495, abs=1e-3)
    assert gmacs(spatial_path, 360, 640) == pytest.approx(0.896, abs=1e-3)
