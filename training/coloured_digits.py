"""Trains a narrow torchvision ResNet-18 on coloured MNIST in a few minutes, and writes it with tensors for `resnet-serve
quantize`: what int8 costs a model of three channels (docs/quantization.md).

`python coloured_digits.py --data <folder of IDX files> --out <folder>`; needs what library_fixtures.py does.
"""

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

import mnist
from library_fixtures import torchvision
from model_files import write_tensors

SIZE = 56
TRAINING, CALIBRATION = 20_000, 500


def coloured(images: Tensor) -> Tensor:
    """`[N, 1, 28, 28]` bytes to `[N, 3, SIZE, SIZE]`, normalised: a digit of any colour on a ground that differs from it."""
    ink = F.interpolate(images.float() / 255, size=(SIZE, SIZE), mode="bilinear")
    ground = torch.rand(len(ink), 3, 1, 1)
    # The other side of the colour cube, so that no digit is lost in its ground.
    colour = (ground + 0.35 + 0.3 * torch.rand_like(ground)) % 1
    picture = ground + ink * (colour - ground) + 0.05 * torch.randn(len(ink), 3, SIZE, SIZE)
    return (picture.clamp(0, 1) - 0.5) / 0.5


def train(model: nn.Module, images: Tensor, labels: Tensor, epochs: int) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    steps = epochs * (len(images) // 128)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=steps)
    for epoch in range(epochs):
        for batch in torch.randperm(len(images)).split(128)[: len(images) // 128]:
            loss = F.cross_entropy(model(coloured(images[batch])), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1}: loss {loss.item():.4f}", flush=True)


def write_samples(folder: Path, images: Tensor, labels: Tensor) -> None:
    values = coloured(images).half()
    for digit in range(10):
        path = folder / str(digit) / "images.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({"input": values[labels == digit].contiguous()}, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=3)
    args = parser.parse_args()
    torch.manual_seed(1)
    (images, labels), (val_images, val_labels) = mnist.load(args.data)
    case = torchvision("basic", [2, 2, 2, 2], (SIZE, SIZE), width=16, classes=10)
    train(case.model.train(), images[:TRAINING], labels[:TRAINING], args.epochs)
    weights = {case.rename(k): v for k, v in case.model.state_dict().items() if not k.endswith("num_batches_tracked")}
    write_tensors(args.out / "coloured" / "1", weights, {
        "name": "coloured",
        "version": "1",
        "architecture": case.architecture,
        "input": {"height": SIZE, "width": SIZE, "mean": 0.5, "std": 0.5, "channels": "rgb", "resize": [SIZE, SIZE]},
    })
    chosen = torch.randperm(len(images))[:CALIBRATION]
    write_samples(args.out / "calibration", images[chosen], labels[chosen])
    write_samples(args.out / "validation", val_images, val_labels)


if __name__ == "__main__":
    main()
