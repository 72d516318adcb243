"""Both networks as OpenVINO graphs, built from the tensors of a file: serving needs no torch.

The modules follow ``bisenet.network.bisenet`` and ``bisenet.network.detector`` one by one, and
every node is named after its module, so that a profile reads like the paper's figure. Batch
normalisation is folded into the convolutions, and the heads that only training uses are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import openvino as ov
import openvino.opset13 as op
from numpy.typing import NDArray
from openvino.preprocess import PrePostProcessor

_EPS = 1e-5  # torch.nn.BatchNorm2d's own
State = Mapping[str, NDArray[np.float32]]


def build_graph(state: State, backbone: str, spatial_path: bool = False) -> ov.Model:
    """The main head's logits as a graph of any batch and any size that 32 divides.

    Args:
        state: tensors under the names of ``bisenet.network.bisenet.BiSeNet``, f32.
        backbone: ``resnet18``, ``resnet34`` or ``xception39``.
        spatial_path: the paper's own form.

    Returns:
        A model from ``x``, ``(N, 3, S, S)`` normalised f32, to ``logits``, ``(N, C, S/8, S/8)``.

    Raises:
        KeyError: a tensor is missing.
    """
    x = op.parameter([-1, 3, -1, -1], np.float32, name="x")
    graph = _BiSeNet(state)
    detail, feature16, feature32 = graph.features(x, backbone)
    context8 = graph.context(feature16, feature32)
    if spatial_path:
        detail = x
        for number in (1, 2, 3):
            detail = graph.conv_bn_relu(detail, f"spatial_path.conv{number}", stride=2)
    fused = graph.fusion(detail, context8)
    logits = graph.conv(graph.conv_bn_relu(fused, "head.conv"), "head.classifier")
    logits.output(0).set_names({"logits"})
    x.output(0).set_names({"x"})
    return ov.Model([op.result(logits, name="logits")], [x], "BiSeNet")


def build_detector_graph(state: State) -> ov.Model:
    """The face detector's outputs as a graph of any size that 32 divides.

    Args:
        state: weights and biases, batch normalisation folded in, as
            ``bisenet.network.detector.folded`` gives them.

    Returns:
        A model from ``(1, 3, H, W)`` normalised f32 to ``(1, 6, H/8, W/8)``.

    Raises:
        KeyError: a tensor is missing.
    """
    image = op.parameter([1, 3, -1, -1], np.float32, name="x")
    graph = _Layers(state)

    def conv(x: ov.Node, name: str, stride: int = 1) -> ov.Node:
        return graph.relu(graph.conv(x, name, stride), name)

    def block(x: ov.Node, name: str) -> ov.Node:
        return op.add(x, conv(conv(x, f"{name}.conv1"), f"{name}.conv2"))

    x = conv(conv(image, "stem", 2), "down4", 2)
    eighth = block(conv(x, "down8", 2), "block8")
    sixteenth = block(conv(eighth, "down16", 2), "block16")
    x = block(block(conv(sixteenth, "down32", 2), "block32a"), "block32b")
    x = conv(op.add(sixteenth, graph.twice(conv(x, "up16"), "upsample16")), "mix16")
    x = conv(op.add(eighth, graph.twice(conv(x, "up8"), "upsample8")), "mix8")
    return ov.Model([op.result(graph.conv(x, "head"))], [image], "FaceDetector")


def from_pixels(model: ov.Model, mean: list[float], std: list[float]) -> ov.Model:
    """The model with pixels ``(N, H, W, 3)`` uint8 as its input, normalised by its first nodes.

    OpenVINO fuses them; numpy needs three passes.

    Args:
        model: of ``(N, 3, H, W)`` f32; changed in place.
        mean, std: one a channel, 0..255.
    """
    steps = PrePostProcessor(model)
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    pixels = steps.input().preprocess().convert_element_type(ov.Type.f32)
    pixels.mean(mean).scale(std)
    steps.input().model().set_layout(ov.Layout("NCHW"))
    return steps.build()


class _Layers:
    """One method a layer; ``name`` is the layer's place in the state dict."""

    def __init__(self, state: State):
        self._state = state

    def conv(self, x: ov.Node, name: str, stride: int = 1, bn: str | None = None) -> ov.Node:
        weight = self._state[f"{name}.weight"].astype(np.float32)
        bias = self._state.get(f"{name}.bias")
        if bn is not None:
            scale, bias = self._affine(bn)
            weight = weight * scale[:, None, None, None]
        pad = weight.shape[2] // 2
        convolution = op.convolution
        if weight.shape[1] == 1:  # one input channel a filter: depthwise
            weight = weight[:, None]
            convolution = op.group_convolution
        node = convolution(
            x,
            op.constant(weight, name=f"{name}.weight"),
            strides=[stride, stride],
            pads_begin=[pad, pad],
            pads_end=[pad, pad],
            dilations=[1, 1],
            name=name,
        )
        if bias is None:
            return node
        return op.add(node, op.constant(bias[None, :, None, None]), name=bn or f"{name}.bias")

    def relu(self, x: ov.Node, name: str) -> ov.Node:
        return op.relu(x, name=f"{name}.relu")

    def mean(self, x: ov.Node, name: str) -> ov.Node:
        return op.reduce_mean(x, np.array([2, 3]), keep_dims=True, name=name)

    def twice(self, x: ov.Node, name: str) -> ov.Node:
        return op.interpolate(
            x,
            np.array([2.0, 2.0], dtype=np.float32),
            "nearest",
            "scales",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
            axes=np.array([2, 3]),
            name=name,
        )

    def _affine(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Scale and shift that batch normalisation comes to with its running statistics."""
        weight, bias, mean, variance = (
            self._state[f"{name}.{key}"].astype(np.float64)
            for key in ("weight", "bias", "running_mean", "running_var")
        )
        scale = weight / np.sqrt(variance + _EPS)
        return scale.astype(np.float32), (bias - mean * scale).astype(np.float32)


class _BiSeNet(_Layers):
    """One method a module of ``bisenet.network.bisenet``."""

    def conv_bn_relu(self, x: ov.Node, name: str, stride: int = 1) -> ov.Node:
        return self.relu(self.conv(x, f"{name}.conv", stride, f"{name}.bn"), name)

    def features(self, x: ov.Node, backbone: str) -> Sequence[ov.Node]:
        """Features at 1/8, 1/16 and 1/32 of the input."""
        name = "context_path.backbone"
        stages, block = ["layer1", "layer2", "layer3", "layer4"], self._basic_block
        if backbone == "xception39":
            stages, block = ["stage1", "stage2", "stage3"], self._xception_block
        x = self.relu(self.conv(x, f"{name}.conv1", 2, f"{name}.bn1"), f"{name}.conv1")
        x = op.max_pool(x, [2, 2], [1, 1], [1, 1], [1, 1], [3, 3], name=f"{name}.maxpool").output(0)
        found = []
        for stage in stages:
            number, stride = 0, 1 if stage == "layer1" else 2
            while any(key.startswith(f"{name}.{stage}.{number}.") for key in self._state):
                x = block(x, f"{name}.{stage}.{number}", stride)
                number, stride = number + 1, 1
            found.append(x)
        return found[-3:]

    def context(self, feature16: ov.Node, feature32: ov.Node) -> ov.Node:
        pooled = self.mean(feature32, "context_path.avg_pool")
        context = self.conv_bn_relu(pooled, "context_path.conv_avg")
        context = op.add(self._refine(feature32, "context_path.arm32"), context)
        context = self.twice(context, "context_path.upsample32")
        context = self.conv_bn_relu(context, "context_path.conv_head32")
        context = op.add(self._refine(feature16, "context_path.arm16"), context)
        context = self.twice(context, "context_path.upsample16")
        return self.conv_bn_relu(context, "context_path.conv_head16")

    def fusion(self, detail: ov.Node, context: ov.Node) -> ov.Node:
        joined = op.concat([detail, context], axis=1, name="fusion.concat")
        feature = self.conv_bn_relu(joined, "fusion.conv")
        squeezed = self.conv(self.mean(feature, "fusion.avg_pool"), "fusion.squeeze")
        excited = self.conv(self.relu(squeezed, "fusion.squeeze"), "fusion.excite")
        attention = op.sigmoid(excited, name="fusion.sigmoid")
        weighted = op.multiply(feature, attention, name="fusion.multiply")
        return op.add(weighted, feature, name="fusion.add")

    def _refine(self, x: ov.Node, name: str) -> ov.Node:
        feature = self.conv_bn_relu(x, f"{name}.conv")
        pooled = self.mean(feature, f"{name}.avg_pool")
        attention = self.conv(pooled, f"{name}.attention", bn=f"{name}.attention_bn")
        attention = op.sigmoid(attention, name=f"{name}.sigmoid")
        return op.multiply(feature, attention, name=f"{name}.multiply")

    def _basic_block(self, x: ov.Node, name: str, stride: int) -> ov.Node:
        residual = self.conv(x, f"{name}.conv1", stride, f"{name}.bn1")
        residual = self.relu(residual, f"{name}.conv1")
        residual = self.conv(residual, f"{name}.conv2", 1, f"{name}.bn2")
        if f"{name}.downsample.0.weight" in self._state:
            x = self.conv(x, f"{name}.downsample.0", stride, f"{name}.downsample.1")
        return self.relu(op.add(residual, x, name=f"{name}.add"), name)

    def _xception_block(self, x: ov.Node, name: str, stride: int) -> ov.Node:
        residual = self.relu(self._separable(x, f"{name}.conv1", stride), f"{name}.conv1")
        residual = self.relu(self._separable(residual, f"{name}.conv2"), f"{name}.conv2")
        residual = self._separable(residual, f"{name}.conv3")
        if f"{name}.shortcut.bn.weight" in self._state:
            x = self._separable(x, f"{name}.shortcut", stride)
        return self.relu(op.add(residual, x, name=f"{name}.add"), name)

    def _separable(self, x: ov.Node, name: str, stride: int = 1) -> ov.Node:
        x = self.conv(x, f"{name}.depthwise", stride)
        return self.conv(x, f"{name}.pointwise", bn=f"{name}.bn")
