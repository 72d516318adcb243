"""Light, colour and camera: what changes a photo's values and leaves its mask alone."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bisenet.classes import BY_NAME
from bisenet.data.paste import blend
from bisenet.data.types import Image


def tone_curve(
    brightness: float = 0.0, contrast: float = 1.0, gamma: float = 1.0, gain: float = 1.0
) -> NDArray[np.uint8]:
    """One channel's table, ``(256,)``: gamma and gain, contrast around grey, brightness."""
    x = np.linspace(0, 1, 256) ** gamma * gain
    x = (x - 0.5) * contrast + 0.5 + brightness
    return np.rint(np.clip(x, 0, 1) * 255).astype(np.uint8)


def color_jitter(rng: np.random.Generator, image: Image) -> Image:
    """Brightness, contrast, gamma and white balance (one table a channel), then saturation."""
    brightness, contrast = rng.uniform(-0.12, 0.12), np.exp(rng.uniform(-0.3, 0.3))
    gamma = np.exp(rng.uniform(-0.35, 0.35))
    gains = np.exp(rng.uniform(-0.12, 0.12, 3))
    tables = np.stack([tone_curve(brightness, contrast, gamma, g) for g in gains], -1)
    out = cv2.LUT(image, tables[None])
    saturation = float(rng.uniform(0.5, 1.4))
    grey = cv2.cvtColor(cv2.cvtColor(out, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(out, saturation, grey, 1 - saturation, 0).astype(np.uint8)


def greyscale(image: Image) -> Image:
    """The photo without colour, still three channels."""
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB).astype(
        np.uint8
    )


def add_noise(rng: np.random.Generator, image: Image, sigma: float) -> Image:
    """Sensor noise of ``sigma`` grey levels."""
    field = rng.standard_normal(image.shape, dtype=np.float32) * sigma
    return np.clip(image + field, 0, 255).astype(np.uint8)


def low_light(rng: np.random.Generator, image: Image) -> Image:
    """Underexposed and noisy, as an evening photo is."""
    dark = cv2.LUT(image, tone_curve(gamma=rng.uniform(1.1, 1.8), gain=rng.uniform(0.2, 0.55)))
    return add_noise(rng, dark.astype(np.uint8), rng.uniform(2, 8))


def uneven_light(rng: np.random.Generator, image: Image) -> Image:
    """A lamp from one side: a smooth ramp of gain across the frame."""
    corners = rng.uniform(0.45, 1.35, (2, 2)).astype(np.float32)
    ramp = cv2.resize(corners, (image.shape[1], image.shape[0]))[..., None]
    return np.clip(image * ramp, 0, 255).astype(np.uint8)


def blur(rng: np.random.Generator, image: Image) -> Image:
    """Out of focus, shaken, or enlarged from a small picture."""
    size = image.shape[0]
    kind = rng.integers(3)
    if kind == 0:
        return cv2.GaussianBlur(image, (0, 0), 0.5 + rng.uniform(0, 0.007) * size).astype(np.uint8)
    if kind == 1:
        length = int(rng.uniform(0.008, 0.03) * size) | 1
        kernel = np.zeros((length, length), np.float32)
        kernel[length // 2] = 1 / length
        rotation = cv2.getRotationMatrix2D(
            (length // 2, length // 2), float(rng.uniform(0, 180)), 1
        )
        kernel = cv2.warpAffine(kernel, rotation, (length, length))
        return cv2.filter2D(image, -1, kernel / max(kernel.sum(), 1e-3)).astype(np.uint8)
    small = max(32, int(size * rng.uniform(0.2, 0.6)))
    shrunk = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
    return cv2.resize(shrunk, (image.shape[1], image.shape[0])).astype(np.uint8)


def jpeg(image: Image, quality: int) -> Image:
    """The photo after JPEG compression."""
    encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(decoded[..., ::-1])


def recolor_region(
    rng: np.random.Generator, image: Image, mask: NDArray[np.uint8], name: str
) -> Image:
    """Clothes in another colour, hair lighter, darker or greyed; the shading stays."""
    region = mask == BY_NAME[name].id
    if not region.any():
        return image
    grey = greyscale(image)
    if name == "hair":
        target = rng.uniform(0.3, 1.0)
        tables = tone_curve(rng.uniform(-0.1, 0.3), rng.uniform(0.5, 1.1), rng.uniform(0.5, 1.6))
        mixed = cv2.addWeighted(image, 1 - target, grey, target, 0)
        changed = cv2.LUT(mixed, tables)
    else:
        gains = rng.uniform(0.3, 1.6, 3)
        offset = rng.uniform(-0.25, 0.45)
        tables = np.stack([tone_curve(offset, rng.uniform(0.5, 1), 1, g) for g in gains], -1)
        changed = cv2.LUT(grey, tables[None])
    return blend(changed, image, cv2.GaussianBlur(region.astype(np.uint8) * 255, (0, 0), 1.0))


def light(rng: np.random.Generator, image: Image) -> Image:
    """The whole camera, each part by its own chance."""
    if rng.random() < 0.8:
        image = color_jitter(rng, image)
    if rng.random() < 0.12:
        image = greyscale(image)
    if rng.random() < 0.15:
        image = uneven_light(rng, image)
    if rng.random() < 0.15:
        image = blur(rng, image)
    if rng.random() < 0.08:
        image = low_light(rng, image)
    elif rng.random() < 0.12:
        image = add_noise(rng, image, rng.uniform(2, 14))
    if rng.random() < 0.15:
        image = jpeg(image, int(rng.integers(12, 80)))
    return image
