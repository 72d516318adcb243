"""BiSeNet as an OpenVINO graph, built from the tensors of a checkpoint: serving needs no torch.

The modules follow ``bisenet.network.bisenet`` one by one and every node is named after its module,
so that a profile reads like the paper's figure. Batch normalisation is folded into the
convolutions here, and the heads that only training uses are left out.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import openvino as ov
import openvino.opset13 as op
from numpy.typing import NDArray

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
    graph = _Builder(state)
    features = graph.xception if backbone == "xception39" else graph.resnet
    detail, feature16, feature32 = features(x, "context_path.backbone")
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


class _Builder:
    """One method a module of the network; ``name`` is the module's place in the state dict."""

    def __init__(self, state: State):
        self._state = state

    def conv(self, x: ov.Node, name: str, stride: int = 1, bn: str | None = None) -> ov.Node:
        weight = self._state[f"{name}.weight"].astype(np.float32)
        bias = None
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
        return op.add(node, op.constant(bias[None, :, None, None]), name=f"{bn}")

    def conv_bn_relu(self, x: ov.Node, name: str, stride: int = 1) -> ov.Node:
        return self._relu(self.conv(x, f"{name}.conv", stride, f"{name}.bn"), name)

    def resnet(self, x: ov.Node, name: str) -> tuple[ov.Node, ov.Node, ov.Node]:
        x = self._stem(x, name)
        features = []
        for layer in (1, 2, 3, 4):
            block = 0
            while f"{name}.layer{layer}.{block}.conv1.weight" in self._state:
                stride = 2 if layer > 1 and block == 0 else 1
                x = self._basic_block(x, f"{name}.layer{layer}.{block}", stride)
                block += 1
            features.append(x)
        return features[1], features[2], features[3]

    def xception(self, x: ov.Node, name: str) -> tuple[ov.Node, ov.Node, ov.Node]:
        x = self._stem(x, name)
        features = []
        for stage in (1, 2, 3):
            block = 0
            while f"{name}.stage{stage}.{block}.conv1.bn.weight" in self._state:
                x = self._xception_block(x, f"{name}.stage{stage}.{block}", 1 if block else 2)
                block += 1
            features.append(x)
        return features[0], features[1], features[2]

    def context(self, feature16: ov.Node, feature32: ov.Node) -> ov.Node:
        pooled = self._mean(feature32, "context_path.avg_pool")
        context = self.conv_bn_relu(pooled, "context_path.conv_avg")
        context = op.add(self._refine(feature32, "context_path.arm32"), context)
        context = self._twice(context, "context_path.upsample32")
        context = self.conv_bn_relu(context, "context_path.conv_head32")
        context = op.add(self._refine(feature16, "context_path.arm16"), context)
        context = self._twice(context, "context_path.upsample16")
        return self.conv_bn_relu(context, "context_path.conv_head16")

    def fusion(self, detail: ov.Node, context: ov.Node) -> ov.Node:
        joined = op.concat([detail, context], axis=1, name="fusion.concat")
        feature = self.conv_bn_relu(joined, "fusion.conv")
        squeezed = self.conv(self._mean(feature, "fusion.avg_pool"), "fusion.squeeze")
        excited = self.conv(self._relu(squeezed, "fusion.squeeze"), "fusion.excite")
        attention = op.sigmoid(excited, name="fusion.sigmoid")
        weighted = op.multiply(feature, attention, name="fusion.multiply")
        return op.add(weighted, feature, name="fusion.add")

    def _refine(self, x: ov.Node, name: str) -> ov.Node:
        feature = self.conv_bn_relu(x, f"{name}.conv")
        pooled = self._mean(feature, f"{name}.avg_pool")
        attention = self.conv(pooled, f"{name}.attention", bn=f"{name}.attention_bn")
        attention = op.sigmoid(attention, name=f"{name}.sigmoid")
        return op.multiply(feature, attention, name=f"{name}.multiply")

    def _stem(self, x: ov.Node, name: str) -> ov.Node:
        x = self._relu(self.conv(x, f"{name}.conv1", 2, f"{name}.bn1"), f"{name}.conv1")
        pooled = op.max_pool(x, [2, 2], [1, 1], [1, 1], [1, 1], [3, 3], name=f"{name}.maxpool")
        return pooled.output(0)

    def _basic_block(self, x: ov.Node, name: str, stride: int) -> ov.Node:
        residual = self.conv(x, f"{name}.conv1", stride, f"{name}.bn1")
        residual = self._relu(residual, f"{name}.conv1")
        residual = self.conv(residual, f"{name}.conv2", 1, f"{name}.bn2")
        if f"{name}.downsample.0.weight" in self._state:
            x = self.conv(x, f"{name}.downsample.0", stride, f"{name}.downsample.1")
        return self._relu(op.add(residual, x, name=f"{name}.add"), name)

    def _xception_block(self, x: ov.Node, name: str, stride: int) -> ov.Node:
        residual = self._relu(self._separable(x, f"{name}.conv1", stride), f"{name}.conv1")
        residual = self._relu(self._separable(residual, f"{name}.conv2"), f"{name}.conv2")
        residual = self._separable(residual, f"{name}.conv3")
        if f"{name}.shortcut.bn.weight" in self._state:
            x = self._separable(x, f"{name}.shortcut", stride)
        return self._relu(op.add(residual, x, name=f"{name}.add"), name)

    def _separable(self, x: ov.Node, name: str, stride: int = 1) -> ov.Node:
        x = self.conv(x, f"{name}.depthwise", stride)
        return self.conv(x, f"{name}.pointwise", bn=f"{name}.bn")

    def _affine(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Scale and shift that batch normalisation comes to with its running statistics."""
        part = {
            key: self._state[f"{name}.{key}"].astype(np.float64)
            for key in ("weight", "bias", "running_mean", "running_var")
        }
        scale = part["weight"] / np.sqrt(part["running_var"] + _EPS)
        shift = part["bias"] - part["running_mean"] * scale
        return scale.astype(np.float32), shift.astype(np.float32)

    def _relu(self, x: ov.Node, name: str) -> ov.Node:
        return op.relu(x, name=f"{name}.relu")

    def _mean(self, x: ov.Node, name: str) -> ov.Node:
        return op.reduce_mean(x, np.array([2, 3]), keep_dims=True, name=name)

    def _twice(self, x: ov.Node, name: str) -> ov.Node:
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
