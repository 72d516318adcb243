"""Published checkpoints: the layouts load strictly and give the logits of their own forward pass.

The forward passes below are written from the published parameter names with torch.nn.functional
alone, so that a mistake in bisenet.network.bisenet cannot hide in them. A pass run for the first
time draws the weights that it asks for, and so also says which tensors such a file holds.
"""

from __future__ import annotations

from functools import cache

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from bisenet.network import checkpoints
from bisenet.network.bisenet import BACKBONES, BackboneName, BiSeNet
from bisenet.network.checkpoints import CheckpointError, CheckpointInfo, Shape

RESNET18, RESNET34 = (2, 2, 2, 2), (3, 4, 6, 3)


class Published:
    """A published network as a state dict and a forward pass over its names."""

    def __init__(self, blocks: tuple[int, ...], seed: int = 0) -> None:
        self.blocks = blocks
        self.state: dict[str, Tensor] = {}
        self.random = torch.Generator().manual_seed(seed)

    def conv(self, name: str, x: Tensor, out: int, kernel: int = 1, stride: int = 1) -> Tensor:
        key = f"{name}.weight"
        if key not in self.state:
            weight = torch.randn(out, x.shape[1], kernel, kernel, generator=self.random)
            self.state[key] = weight * (x.shape[1] * kernel**2) ** -0.5
        return F.conv2d(x, self.state[key], stride=stride, padding=kernel // 2)

    def norm(self, name: str, x: Tensor) -> Tensor:
        ranges = {  # gains below 1, as in trained networks: activations stay of one size
            "weight": (0.3, 0.9),
            "bias": (-0.3, 0.3),
            "running_mean": (-0.5, 0.5),
            "running_var": (0.3, 1.0),
        }
        for key, (low, high) in ranges.items():
            if f"{name}.{key}" not in self.state:
                noise = torch.rand(x.shape[1], generator=self.random)
                self.state[f"{name}.{key}"] = low + (high - low) * noise
        self.state[f"{name}.num_batches_tracked"] = torch.tensor(80000)
        weight, bias, mean, var = (self.state[f"{name}.{key}"] for key in ranges)
        return F.batch_norm(x, mean, var, weight, bias, training=False, eps=1e-5)

    def resnet(self, name: str, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = F.relu(self.norm(f"{name}.bn1", self.conv(f"{name}.conv1", x, 64, 7, 2)))
        x = F.max_pool2d(x, 3, 2, 1)
        features = []
        for stage, blocks in enumerate(self.blocks, start=1):
            for block in range(blocks):
                at = f"{name}.layer{stage}.{block}"
                width, stride = 32 * 2**stage, 2 if stage > 1 and block == 0 else 1
                y = F.relu(self.norm(f"{at}.bn1", self.conv(f"{at}.conv1", x, width, 3, stride)))
                y = self.norm(f"{at}.bn2", self.conv(f"{at}.conv2", y, width, 3))
                if stride == 2:
                    x = self.conv(f"{at}.downsample.0", x, width, 1, 2)
                    x = self.norm(f"{at}.downsample.1", x)
                x = F.relu(x + y)
            features.append(x)
        return features[1], features[2], features[3]


class LayoutA(Published):
    """face-parsing.PyTorch: model.py, resnet.py."""

    def block(self, name: str, x: Tensor, out: int, kernel: int = 3) -> Tensor:
        return F.relu(self.norm(f"{name}.bn", self.conv(f"{name}.conv", x, out, kernel)))

    def arm(self, name: str, x: Tensor) -> Tensor:
        x = self.block(f"{name}.conv", x, 128)
        pooled = x.mean((2, 3), keepdim=True)
        return (
            x
            * self.norm(f"{name}.bn_atten", self.conv(f"{name}.conv_atten", pooled, 128)).sigmoid()
        )

    def __call__(self, x: Tensor) -> list[Tensor]:
        size = x.shape[2:]
        at8, at16, at32 = self.resnet("cp.resnet", x)
        average = self.block("cp.conv_avg", at32.mean((2, 3), keepdim=True), 128, 1)
        context = self.arm("cp.arm32", at32) + F.interpolate(average, at32.shape[2:])
        context16 = self.block("cp.conv_head32", F.interpolate(context, at16.shape[2:]), 128)
        context = self.arm("cp.arm16", at16) + context16
        context8 = self.block("cp.conv_head16", F.interpolate(context, at8.shape[2:]), 128)
        fused = self.block("ffm.convblk", torch.cat([at8, context8], 1), 256, 1)
        attention = F.relu(self.conv("ffm.conv1", fused.mean((2, 3), keepdim=True), 64))
        fused = fused * self.conv("ffm.conv2", attention, 256).sigmoid() + fused
        return [
            F.interpolate(
                self.conv(f"{name}.conv_out", self.block(f"{name}.conv", feature, width), 19),
                size,
                mode="bilinear",
                align_corners=True,
            )
            for name, feature, width in (
                ("conv_out", fused, 256),
                ("conv_out16", context8, 64),
                ("conv_out32", context16, 64),
            )
        ]


class LayoutB(Published):
    """yakhyo/face-parsing: models/bisenet.py, models/resnet.py."""

    def block(self, name: str, x: Tensor, out: int, kernel: int = 3) -> Tensor:
        return F.relu(self.norm(f"{name}.norm", self.conv(f"{name}.conv", x, out, kernel)))

    def arm(self, name: str, x: Tensor) -> Tensor:
        x = self.block(f"{name}.conv_block", x, 128)
        pooled = F.avg_pool2d(x, [x.shape[2], x.shape[3]])
        attention = self.conv(f"{name}.attention.0", pooled, 128)
        return x * self.norm(f"{name}.attention.1", attention).sigmoid()

    def __call__(self, x: Tensor) -> list[Tensor]:
        size = x.shape[2:]
        at8, at16, at32 = self.resnet("fpn.backbone", x)
        self.state["fpn.backbone.fc.weight"] = torch.zeros(1000, 512)
        self.state["fpn.backbone.fc.bias"] = torch.zeros(1000)
        average = F.avg_pool2d(at32, [at32.shape[2], at32.shape[3]])
        average = F.interpolate(self.block("fpn.conv_avg", average, 128, 1), at32.shape[2:])
        context = F.interpolate(self.arm("fpn.arm32", at32) + average, at16.shape[2:])
        context16 = self.block("fpn.conv_head32", context, 128)
        context = F.interpolate(self.arm("fpn.arm16", at16) + context16, at8.shape[2:])
        context8 = self.block("fpn.conv_head16", context, 128)
        fused = self.block("ffm.conv_block", torch.cat([at8, context8], 1), 256, 1)
        attention = F.avg_pool2d(fused, [fused.shape[2], fused.shape[3]])
        attention = self.conv("ffm.conv2", F.relu(self.conv("ffm.conv1", attention, 64)), 256)
        fused = fused * attention.sigmoid() + fused
        return [
            F.interpolate(
                self.conv(f"{name}.conv", self.block(f"{name}.conv_block", feature, width), 19),
                size,
                mode="bilinear",
                align_corners=True,
            )
            for name, feature, width in (
                ("conv_out", fused, 256),
                ("conv_out16", context8, 64),
                ("conv_out32", context16, 64),
            )
        ]


def shapes_of(state: dict[str, Tensor]) -> dict[str, Shape]:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def shapes_in(layout: str, backbone: BackboneName = "resnet18") -> dict[str, Shape]:
    """The shapes that a whole file of a layout holds; the caller's own to change."""
    return dict(_shapes_in(layout, backbone))


@cache
def _shapes_in(layout: str, backbone: BackboneName) -> dict[str, Shape]:
    if layout == "native":
        with torch.device("meta"):
            return shapes_of(BiSeNet(backbone=backbone).state_dict())
    published = (LayoutA if layout == "face-parsing.PyTorch" else LayoutB)(
        RESNET34 if backbone == "resnet34" else RESNET18
    )
    published(torch.zeros(1, 3, 32, 32))
    return shapes_of(published.state)


@pytest.mark.parametrize(
    ("published", "expected", "size"),
    [
        (LayoutA(RESNET18), ("face-parsing.PyTorch", "resnet18"), (250, 330)),
        (LayoutB(RESNET18), ("yakhyo/face-parsing", "resnet18"), (250, 330)),
        (LayoutB(RESNET34), ("yakhyo/face-parsing", "resnet34"), (97, 128)),
    ],
    ids=["a-resnet18", "b-resnet18", "b-resnet34"],
)
def test_a_published_layout_gives_its_own_logits(
    published: LayoutA | LayoutB, expected: tuple[str, BackboneName], size: tuple[int, int]
) -> None:
    x = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        theirs = published(x)
        info = checkpoints.inspect(shapes_of(published.state))
        model = BiSeNet(info.num_classes, info.backbone, info.spatial_path).eval()
        model.load_state_dict(checkpoints.to_native(published.state, info.layout), strict=True)
        model.training = True  # the heads of training, on the statistics of inference
        ours = model(x)

    assert info == CheckpointInfo(*expected, spatial_path=False, num_classes=19)
    assert 0.3 < theirs[0].std() < 10, (
        "logits of a real network's size, or the comparison says nothing"
    )
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.shape == (1, 19, *size)
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-4)


@pytest.mark.parametrize("layout", list(checkpoints.LAYOUTS))
def test_names_are_translated_without_loss(layout: str) -> None:
    native = shapes_in("native")
    assert checkpoints.to_native(shapes_in(layout), layout) == native


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("spatial_path", [False, True])
def test_own_checkpoints_tell_their_network(backbone: BackboneName, spatial_path: bool) -> None:
    with torch.device("meta"):
        model = BiSeNet(backbone=backbone, spatial_path=spatial_path)
    info = checkpoints.inspect(shapes_of(model.state_dict()))
    assert info == CheckpointInfo("native", backbone, spatial_path, 19)


@pytest.mark.parametrize("layout", list(checkpoints.LAYOUTS))
@pytest.mark.parametrize(
    "wrapper", ["module.", "_orig_mod.", "module._orig_mod.", "model.", "net.", "model.net."]
)
def test_names_of_wrappers_are_unwrapped(layout: str, wrapper: str) -> None:
    wrapped: dict[str, Shape] = {"n_averaged": ()}
    wrapped |= {f"{wrapper}{name}": shape for name, shape in shapes_in(layout).items()}
    info = checkpoints.inspect(wrapped)
    assert info == CheckpointInfo(layout, "resnet18", False, 19)
    assert checkpoints.to_native(wrapped, info.layout) == shapes_in("native")
    lost = next(name for name in reversed(wrapped) if name.endswith("bias"))
    del wrapped[lost]
    with pytest.raises(CheckpointError) as caught:
        checkpoints.inspect(wrapped)
    assert str(caught.value).startswith(f"{lost} is missing")


def test_two_networks_in_a_file_are_not_mixed() -> None:
    shapes = shapes_in("face-parsing.PyTorch")
    both = {f"{w}.{name}": shape for w in ("net", "model") for name, shape in shapes.items()}
    with pytest.raises(CheckpointError, match=r"two networks: net\.cp\.\S+ and model\.cp"):
        checkpoints.inspect(both)


def test_counters_of_batches_may_be_absent_as_in_old_files() -> None:
    shapes = shapes_in("face-parsing.PyTorch")
    old = {name: shape for name, shape in shapes.items() if not name.endswith("_tracked")}
    info = checkpoints.inspect(old)
    state = {name: torch.zeros(shape) for name, shape in old.items()}
    BiSeNet().load_state_dict(checkpoints.to_native(state, info.layout), strict=True)


@pytest.mark.parametrize(
    ("layout", "tensor"),
    [
        ("native", "context_path.arm16.conv.conv.weight"),
        ("face-parsing.PyTorch", "cp.arm16.conv_atten.weight"),
        ("face-parsing.PyTorch", "conv_out32.conv.bn.running_var"),
        ("yakhyo/face-parsing", "fpn.arm32.attention.1.bias"),
        ("yakhyo/face-parsing", "ffm.conv_block.norm.weight"),
    ],
)
def test_a_missing_tensor_is_named_as_in_the_file(layout: str, tensor: str) -> None:
    shapes = shapes_in(layout)
    del shapes[tensor]
    with pytest.raises(CheckpointError) as caught:
        checkpoints.inspect(shapes)
    assert str(caught.value) == (
        f"{tensor} is missing: the file is truncated or holds another network."
    )


def test_of_many_missing_tensors_the_first_is_named() -> None:
    shapes = shapes_in("yakhyo/face-parsing", "resnet34")
    cut = dict(list(shapes.items())[:100])
    with pytest.raises(CheckpointError, match=r"^fpn\.backbone\.layer\d\.\d\.\S+ is missing"):
        checkpoints.inspect(cut)


def test_a_wrong_shape_is_named_with_both_shapes() -> None:
    shapes = shapes_in("face-parsing.PyTorch") | {"cp.resnet.conv1.weight": (64, 4, 7, 7)}
    with pytest.raises(CheckpointError) as caught:
        checkpoints.inspect(shapes)
    assert str(caught.value) == (
        "cp.resnet.conv1.weight has the shape 64 x 4 x 7 x 7; "
        "a BiSeNet with resnet18 needs 64 x 3 x 7 x 7."
    )


def test_another_class_count_is_a_sentence_and_can_be_asked_for() -> None:
    shapes = shapes_in("face-parsing.PyTorch")
    for name in [name for name in shapes if name.endswith(".conv_out.weight")]:
        shapes[name] = (11, *shapes[name][1:])
    with pytest.raises(CheckpointError) as caught:
        checkpoints.inspect(shapes)
    assert str(caught.value) == "conv_out.conv_out.weight has 11 classes; this project needs 19."
    assert checkpoints.inspect(shapes, num_classes=None).num_classes == 11


def test_an_unexpected_tensor_is_named_as_in_the_file() -> None:
    shapes = shapes_in("face-parsing.PyTorch") | {"cp.backbone.extra.weight": (1,)}
    with pytest.raises(CheckpointError) as caught:
        checkpoints.inspect(shapes)
    assert str(caught.value) == "cp.backbone.extra.weight has no place in a BiSeNet with resnet18."


@pytest.mark.parametrize(
    ("shapes", "sentence"),
    [
        ({}, "The file holds no tensors."),
        ({"encoder.conv.weight": (8, 3, 3, 3)}, "This is not a BiSeNet checkpoint: its first"),
        ({"context_path.x": (1,)}, "context_path.backbone.conv1.weight is missing"),
        ({"cp.resnet.conv1.weight": ()}, "cp.resnet.conv1.weight has the shape of a single number"),
    ],
)
def test_what_is_no_checkpoint_gets_a_sentence(shapes: dict[str, Shape], sentence: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        checkpoints.inspect(shapes)
    assert str(caught.value).startswith(sentence)
    assert str(caught.value).endswith(".")
