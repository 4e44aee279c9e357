"""Writes what `resnet-serve quantize` reads: tensors in one folder per digit, normalised as the model sees them.

`calibration` has training images, half as they are and half augmented; `validation` the 5,000 held-out ones; `augmented` the
same, augmented. `python samples.py --data <folder of IDX files> --out <folder>`
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

import mnist
from augment import augment

CALIBRATION = 1_000


def write(folder: Path, images: Tensor, labels: Tensor) -> None:
    values = (images - mnist.MEAN) / mnist.STD
    for digit in range(10):
        path = folder / str(digit) / "images.f32"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(values[labels == digit].numpy().astype("<f4").tobytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.manual_seed(1)
    (images, labels), (val_images, val_labels) = mnist.load(args.data)
    chosen = torch.randperm(len(images))[:CALIBRATION]
    write(args.out / "calibration", augment(images[chosen].float() / 255, clean=0.5), labels[chosen])
    write(args.out / "validation", val_images.float() / 255, val_labels)
    write(args.out / "augmented", augment(val_images.float() / 255, clean=0.0), val_labels)


if __name__ == "__main__":
    main()
