"""Turns train.py's checkpoint into the model that ships: `python export.py --checkpoint model.pt --out ../models/digits/1`."""

import argparse
from pathlib import Path

import torch

import mnist
from model_files import write_model
from resnet import Architecture, ResNet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "models" / "digits" / "1")
    args = parser.parse_args()

    checkpoint = torch.load(args.checkpoint, weights_only=True)
    model = ResNet(Architecture(**checkpoint["architecture"]))
    model.load_state_dict(checkpoint["state_dict"])
    write_model(args.out, model, torch.float16, {
        "name": "digits",
        "version": "1",
        "description": "Handwritten digits 0 to 9, one per picture, dark on light or light on dark.",
        "architecture": checkpoint["architecture"],
        "input": {
            "height": 28, "width": 28, "mean": mnist.MEAN, "std": mnist.STD,
            "invert": "auto", "fit": "ink", "ink_size": 20,
        },
        "labels": [str(digit) for digit in range(10)],
        "provenance": {"data": "MNIST training images, the last 5,000 held out for validation",
                       "trained_by": "training/train.py", "augmented_by": "training/augment.py"},
        "metrics": checkpoint["metrics"],
    })


if __name__ == "__main__":
    main()
