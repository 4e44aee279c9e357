"""Makes MNIST look like what people send: drawn with a mouse, or photographed off paper.

Every function takes and returns a batch `[N, 1, H, W]` of ink in 0..1 (1 is ink) and draws its own strength per image.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def uniform(n: int, low: float, high: float) -> Tensor:
    return torch.empty(n, 1, 1, 1).uniform_(low, high)


def chance(n: int, probability: float) -> Tensor:
    return (torch.rand(n, 1, 1, 1) < probability).float()


def warp(x: Tensor) -> Tensor:
    """Rotation, shear, scale and shift in one resampling, with a smooth wobble of the hand added to a third."""
    n, size = x.shape[0], x.shape[-1]
    angle = uniform(n, -15, 15).flatten() * math.pi / 180
    shear = uniform(n, -0.25, 0.25).flatten()
    scale_x = uniform(n, 0.8, 1.15).flatten()
    scale_y = scale_x * uniform(n, 0.88, 1.12).flatten()
    shift = torch.empty(n, 2).uniform_(-2, 2) * 2 / size
    cos, sin = torch.cos(angle), torch.sin(angle)
    theta = torch.stack(
        [
            torch.stack([cos / scale_x, (shear * cos - sin) / scale_y, shift[:, 0]], 1),
            torch.stack([sin / scale_x, (shear * sin + cos) / scale_y, shift[:, 1]], 1),
        ],
        1,
    )
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    coarse = torch.randn(n, 2, 5, 5) * chance(n, 0.35) * (0.7 * 2 / size)
    wobble = F.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=True)
    return F.grid_sample(x, grid + wobble.permute(0, 2, 3, 1), align_corners=False)


def stroke_width(x: Tensor) -> Tensor:
    """Thickens a third and thins a third by a blend with the 3x3 maximum or minimum."""
    n = x.shape[0]
    thick, thin = F.max_pool2d(x, 3, 1, 1), -F.max_pool2d(-x, 3, 1, 1)
    kind = torch.rand(n, 1, 1, 1)
    amount = torch.rand(n, 1, 1, 1)
    x = torch.where(kind < 0.33, x + amount * (thick - x), x)
    return torch.where(kind > 0.67, x + 0.7 * amount * (thin - x), x)


def contrast(x: Tensor) -> Tensor:
    """Pen and paper: the ink's darkness, its gradation, and a paper that is not quite white."""
    n = x.shape[0]
    x = x.clamp(0, 1) ** uniform(n, 0.6, 1.5)
    ink = uniform(n, 0.6, 1.0)
    paper = uniform(n, 0.0, 0.2) * chance(n, 0.25)
    return paper + x * (ink - paper).clamp(min=0.3)


def blur_and_noise(x: Tensor) -> Tensor:
    n = x.shape[0]
    kernel = torch.tensor([1.0, 2.0, 1.0])
    kernel = (kernel[:, None] * kernel / 16).view(1, 1, 3, 3)
    x = x + chance(n, 0.2) * (F.conv2d(x, kernel, padding=1) - x)
    return x + chance(n, 0.3) * uniform(n, 0.0, 0.08) * torch.randn_like(x)


def invert(x: Tensor) -> Tensor:
    """A few stay inverted: the server turns pictures to light on dark, and it can guess wrong."""
    flip = chance(x.shape[0], 0.05)
    return flip * (1 - x) + (1 - flip) * x


def augment(x: Tensor, clean: float) -> Tensor:
    """The whole chain; a share `clean` stays as it is, because clean scans arrive too."""
    changed = invert(blur_and_noise(contrast(stroke_width(warp(x)))))
    keep = chance(x.shape[0], clean)
    return (keep * x + (1 - keep) * changed).clamp(0, 1)
