"""Writes a model's reference.safetensors: inputs with what PyTorch answers in fp32 on the CPU, which the server checks itself
against when it starts. `python reference.py --model ../models/digits/1 --data <folder of IDX files>`
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import load_file

import mnist
from model_files import write_reference
from resnet import Architecture, ResNet

COUNT = 16


def load_model(folder: Path, architecture: dict) -> ResNet:
    model = ResNet(Architecture(**architecture))
    weights = {name: tensor.float() for name, tensor in load_file(folder / "weights.safetensors").items()}
    missing, unexpected = model.load_state_dict(weights, strict=False)
    if unexpected or any(not name.endswith("num_batches_tracked") for name in missing):
        raise SystemExit(f"{folder}: weights missing {missing}, without a place {unexpected}")
    return model.eval()


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    args = parser.parse_args()
    manifest = json.loads((args.model / "model.json").read_text())
    _, (images, _) = mnist.load(args.data)
    chosen = images[:: len(images) // COUNT][:COUNT]
    spec = manifest["input"]
    inputs = (chosen.float() / 255 - spec["mean"]) / spec["std"]
    logits, embedding = load_model(args.model, manifest["architecture"])(inputs)
    write_reference(args.model, {"input": inputs, "logits": logits, "embedding": embedding})


if __name__ == "__main__":
    main()
