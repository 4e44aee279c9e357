"""Trains the default model on MNIST. `python train.py --data <folder of IDX files> --out <folder>`.

SGD with Nesterov momentum on one one-cycle schedule, bf16 autocast, gradients clipped at norm 1: at a peak rate of 0.1
the loss diverges in bf16, at 0.02 it does not. Writes `model.pt` (state_dict, architecture, metrics) after each epoch.
"""

import argparse
import json
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

import mnist
from augment import augment
from resnet import Architecture, ResNet


def normalise(x: Tensor) -> Tensor:
    return (x - mnist.MEAN) / mnist.STD


@torch.no_grad()
def accuracy(model: ResNet, images: Tensor, labels: Tensor) -> float:
    model.eval()
    hits = 0
    for x, y in zip(images.split(250), labels.split(250)):
        with torch.autocast("cpu", torch.bfloat16):
            logits, _ = model(normalise(x.float() / 255).to(memory_format=torch.channels_last))
        hits += int((logits.argmax(1) == y).sum())
    model.train()
    return hits / len(labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--depth", type=int, default=18)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--peak-lr", type=float, default=0.02)
    parser.add_argument("--clean", type=float, default=0.1, help="share of pictures that are not augmented")
    parser.add_argument("--init", type=Path, help="checkpoint to go on from")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    (images, labels), (val_images, val_labels) = mnist.load(args.data)
    arch = Architecture.of_depth(args.depth, num_classes=10)
    model = ResNet(arch).to(memory_format=torch.channels_last).train()
    epochs_before = 0
    if args.init:
        checkpoint = torch.load(args.init, weights_only=True)
        model.load_state_dict(checkpoint["state_dict"])
        epochs_before = checkpoint["metrics"]["epochs"]
    decay = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.SGD(
        [{"params": decay, "weight_decay": 5e-4}, {"params": plain, "weight_decay": 0.0}],
        lr=args.peak_lr,
        momentum=0.9,
        nesterov=True,
    )
    steps = len(images) // args.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, args.peak_lr, total_steps=steps * args.epochs, pct_start=0.2
    )
    args.out.mkdir(parents=True, exist_ok=True)

    start = time.time()
    for epoch in range(args.epochs):
        order = torch.randperm(len(images))
        seen = hits = 0
        for step in range(steps):
            index = order[step * args.batch : (step + 1) * args.batch]
            x = normalise(augment(images[index].float() / 255, args.clean)).to(memory_format=torch.channels_last)
            y = labels[index]
            with torch.autocast("cpu", torch.bfloat16):
                logits, _ = model(x)
            loss = F.cross_entropy(logits.float(), y)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            seen += len(y)
            hits += int((logits.argmax(1) == y).sum())
            if step % 50 == 0:
                print(f"epoch {epoch} step {step}/{steps} loss {loss.item():.4f} "
                      f"augmented accuracy {hits / seen:.4f} {time.time() - start:.0f} s", flush=True)
        score = accuracy(model, val_images, val_labels)
        metrics = {"epochs": epochs_before + epoch + 1, "validation_images": len(val_labels), "validation_accuracy": score}
        print(json.dumps(metrics), flush=True)
        torch.save({"state_dict": model.state_dict(), "architecture": arch.to_json(), "metrics": metrics},
                   args.out / "model.pt")


if __name__ == "__main__":
    main()
