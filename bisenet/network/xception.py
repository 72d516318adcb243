"""Xception39, the paper's light-weight backbone.

The paper names it and cites Xception (Chollet, CVPR 2017) without giving its layers. The stages of
4, 8 and 4 blocks are those of the small Xception in Light-Head R-CNN (Li et al., 2017), the widths
those of the authors' own release: together 39 million multiply-adds at 224 x 224, hence the name.
"""

from __future__ import annotations

from torch import Tensor, nn


class SeparableConvBN(nn.Sequential):
    """A 3 x 3 convolution in each channel, a 1 x 1 convolution across them, batch normalisation."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1):
        super().__init__()
        self.depthwise = nn.Conv2d(
            in_channels, in_channels, 3, stride, padding=1, groups=in_channels, bias=False
        )
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)


class XceptionBlock(nn.Module):
    """Three separable convolutions beside a shortcut; the last one widens four times."""

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int = 1):
        super().__init__()
        out_channels = width * self.expansion
        self.conv1 = SeparableConvBN(in_channels, width, stride)
        self.conv2 = SeparableConvBN(width, width)
        self.conv3 = SeparableConvBN(width, out_channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = SeparableConvBN(in_channels, out_channels, stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        residual = self.relu(self.conv1(x))
        residual = self.relu(self.conv2(residual))
        output: Tensor = self.relu(self.conv3(residual) + self.shortcut(x))
        return output


class Xception39(nn.Module):
    """Features at 1/8, 1/16 and 1/32 of the input, with ``channels`` channels each."""

    channels = (64, 128, 256)

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.stage1 = _stage(8, width=16, blocks=4)
        self.stage2 = _stage(64, width=32, blocks=8)
        self.stage3 = _stage(128, width=64, blocks=4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        feature8 = self.stage1(x)
        feature16 = self.stage2(feature8)
        return feature8, feature16, self.stage3(feature16)


def _stage(in_channels: int, width: int, blocks: int) -> nn.Sequential:
    out_channels = width * XceptionBlock.expansion
    rest = (XceptionBlock(out_channels, width) for _ in range(blocks - 1))
    return nn.Sequential(XceptionBlock(in_channels, width, stride=2), *rest)
