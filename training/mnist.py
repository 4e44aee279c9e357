"""Reads MNIST's IDX files and fixes the split: the last 5,000 training images are for validation only."""

import gzip
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

VALIDATION = 5_000
MEAN, STD = 0.1307, 0.3081


def read_idx(path: Path) -> np.ndarray:
    """One IDX file (gzip): a big-endian header of magic and dimensions, then unsigned bytes."""
    raw = gzip.decompress(path.read_bytes())
    dims = raw[3]
    shape = np.frombuffer(raw, dtype=">i4", count=dims, offset=4)
    return np.frombuffer(raw, dtype=np.uint8, offset=4 + 4 * dims).reshape(tuple(shape))


def load(folder: Path) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """((train images, labels), (validation images, labels)); images uint8 [N, 1, 28, 28]."""
    images = torch.from_numpy(read_idx(folder / "train-images-idx3-ubyte.gz").copy()).unsqueeze(1)
    labels = torch.from_numpy(read_idx(folder / "train-labels-idx1-ubyte.gz").astype(np.int64))
    return (images[:-VALIDATION], labels[:-VALIDATION]), (images[-VALIDATION:], labels[-VALIDATION:])
