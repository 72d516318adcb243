"""BiSeNet: bilateral segmentation network for real-time semantic segmentation.

Yu et al., "BiSeNet: Bilateral Segmentation Network for Real-time Semantic Segmentation", ECCV 2018.
A context path sees far, a spatial path keeps detail, a feature fusion module joins them. Every
published face-parsing checkpoint uses one variant, the default here: the backbone's stride-8
features stand in for the spatial path. ``BiSeNet(spatial_path=True)`` is the paper's own form.
docs/network.md compares both with the paper's tables.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from bisenet.classes import NUM_CLASSES
from bisenet.network.torchvision_compat import resnet18, resnet34
from bisenet.network.xception import Xception39

BackboneName = Literal["resnet18", "resnet34", "xception39"]
BACKBONES: tuple[BackboneName, ...] = get_args(BackboneName)


class ConvBNReLU(nn.Sequential):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3, stride: int = 1):
        super().__init__()
        padding = kernel_size // 2
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)


class ResNetBackbone(nn.Module):
    """torchvision's ResNet without its classifier: features at 1/8, 1/16 and 1/32 of the input."""

    channels = (128, 256, 512)

    def __init__(self, name: Literal["resnet18", "resnet34"] = "resnet18"):
        super().__init__()
        resnet = {"resnet18": resnet18, "resnet34": resnet34}[name]()
        self.conv1, self.bn1 = resnet.conv1, resnet.bn1
        self.relu, self.maxpool = resnet.relu, resnet.maxpool
        self.layer1, self.layer2 = resnet.layer1, resnet.layer2
        self.layer3, self.layer4 = resnet.layer3, resnet.layer4

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        feature8 = self.layer2(self.layer1(x))
        feature16 = self.layer3(feature8)
        return feature8, feature16, self.layer4(feature16)


class SpatialPath(nn.Sequential):
    """Three convolutions of stride 2: wide, shallow features at 1/8 of the input."""

    channels = 128

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = ConvBNReLU(3, 64, stride=2)
        self.conv2 = ConvBNReLU(64, 64, stride=2)
        self.conv3 = ConvBNReLU(64, self.channels, stride=2)


class AttentionRefinementModule(nn.Module):
    """Reweights channels by the global context (figure 2b of the paper)."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.conv = ConvBNReLU(in_channels, out_channels)
        self.attention = nn.Conv2d(out_channels, out_channels, 1, bias=False)
        self.attention_bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        feature: Tensor = self.conv(x)
        attention = self.attention(F.adaptive_avg_pool2d(feature, 1))
        return feature * torch.sigmoid(self.attention_bn(attention))


class ContextPath(nn.Module):
    """Backbone, global average pooling and attention refinement modules at 1/16 and 1/32.

    Returns the backbone's features at 1/8 and the context at 1/8 and at 1/16, 128 channels each.
    Upsampling inside is nearest: the published checkpoints were trained with it.
    """

    def __init__(self, backbone: BackboneName = "resnet18"):
        super().__init__()
        self.backbone = Xception39() if backbone == "xception39" else ResNetBackbone(backbone)
        _, channels16, channels32 = self.backbone.channels
        self.arm16 = AttentionRefinementModule(channels16, 128)
        self.arm32 = AttentionRefinementModule(channels32, 128)
        self.conv_head32 = ConvBNReLU(128, 128)
        self.conv_head16 = ConvBNReLU(128, 128)
        self.conv_avg = ConvBNReLU(channels32, 128, kernel_size=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        feature8, feature16, feature32 = self.backbone(x)
        context = self.conv_avg(F.adaptive_avg_pool2d(feature32, 1))
        context32 = self.arm32(feature32) + context
        context16 = F.interpolate(context32, feature16.shape[2:], mode="nearest")
        context16 = self.conv_head32(context16)
        context8 = self.arm16(feature16) + context16
        context8 = F.interpolate(context8, feature8.shape[2:], mode="nearest")
        return feature8, self.conv_head16(context8), context16


class FeatureFusionModule(nn.Module):
    """Joins detail and context, then reweights channels (figure 2c of the paper)."""

    def __init__(self, in_channels: int, out_channels: int, reduction: int = 4):
        super().__init__()
        self.conv = ConvBNReLU(in_channels, out_channels, kernel_size=1)
        self.squeeze = nn.Conv2d(out_channels, out_channels // reduction, 1, bias=False)
        self.excite = nn.Conv2d(out_channels // reduction, out_channels, 1, bias=False)

    def forward(self, spatial: Tensor, context: Tensor) -> Tensor:
        feature: Tensor = self.conv(torch.cat([spatial, context], dim=1))
        attention = F.relu(self.squeeze(F.adaptive_avg_pool2d(feature, 1)))
        return feature * torch.sigmoid(self.excite(attention)) + feature


class SegmentationHead(nn.Module):
    """Class scores at the stride of the features that come in."""

    def __init__(self, in_channels: int, mid_channels: int, num_classes: int):
        super().__init__()
        self.conv = ConvBNReLU(in_channels, mid_channels)
        self.classifier = nn.Conv2d(mid_channels, num_classes, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.conv(x))
        return logits


class BiSeNet(nn.Module):
    """Face parsing network.

    Args:
        num_classes: number of classes.
        backbone: the context path's feature extractor.
        spatial_path: the paper's form, with a spatial path of its own and a main head of 64
            channels; else the published variant, with the backbone's stride-8 features as detail
            and a main head of 256.

    Raises:
        ValueError: the backbone is not one of ``BACKBONES``.
    """

    def __init__(
        self,
        num_classes: int = NUM_CLASSES,
        backbone: BackboneName = "resnet18",
        spatial_path: bool = False,
    ):
        super().__init__()
        if backbone not in BACKBONES:
            raise ValueError(f"Unknown backbone {backbone!r}; choose from {', '.join(BACKBONES)}.")
        self.num_classes = num_classes
        self.backbone_name = backbone
        self.context_path = ContextPath(backbone)
        self.spatial_path = SpatialPath() if spatial_path else None
        detail = SpatialPath.channels if spatial_path else self.context_path.backbone.channels[0]
        self.fusion = FeatureFusionModule(detail + 128, 256)
        self.head = SegmentationHead(256, 64 if spatial_path else 256, num_classes)
        self.head16 = SegmentationHead(128, 64, num_classes)
        self.head32 = SegmentationHead(128, 64, num_classes)

    def forward_heads(self, x: Tensor) -> tuple[Tensor, ...]:
        """Logits at the heads' own strides.

        Args:
            x: normalised images, ``(N, 3, H, W)``.

        Returns:
            The main head's ``(N, C, H/8, W/8)``; in training mode also the auxiliary heads'
            ``(N, C, H/8, W/8)`` and ``(N, C, H/16, W/16)``.
        """
        detail, context8, context16 = self.context_path(x)
        if self.spatial_path is not None:
            detail = self.spatial_path(x)
        logits = self.head(self.fusion(detail, context8))
        if not self.training:
            return (logits,)
        return logits, self.head16(context8), self.head32(context16)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Logits at the input's size: ``(N, C, H, W)``, or all three heads' in training mode."""
        outputs = tuple(
            F.interpolate(logits, x.shape[2:], mode="bilinear", align_corners=True)
            for logits in self.forward_heads(x)
        )
        return outputs if self.training else outputs[0]


def fold_batch_norm(module: nn.Module) -> None:
    """Fold every batch normalisation of a network in eval mode into the convolution before it.

    Relies on what holds in this package: inside a module, a normalisation follows
    its convolution directly in the order of definition.
    """
    conv: tuple[str, nn.Conv2d] | None = None
    for name, child in list(module.named_children()):
        if isinstance(child, nn.Conv2d):
            conv = (name, child)
        elif isinstance(child, nn.BatchNorm2d) and conv is not None:
            setattr(module, conv[0], fuse_conv_bn_eval(conv[1], child))
            setattr(module, name, nn.Identity())
            conv = None
        else:
            fold_batch_norm(child)
            if not isinstance(child, nn.ReLU):
                conv = None
