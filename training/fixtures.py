"""Writes parity fixtures: models with random weights, an input, and what PyTorch answers in fp32.

`python fixtures.py` writes the narrow ones of test/fixtures/parity, which the tests hold every engine to.
`python fixtures.py --full-width --out <folder>` writes all five depths as published, for the table in docs/model.md.
"""

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from model_files import rounded, write_model
from resnet import DEPTHS, Architecture, ResNet

NARROW = Path(__file__).parent.parent / "test" / "fixtures" / "parity"
# Heights that are no multiple of 32, widths that differ from them, one shorter than the pool's four bands.
SIZES = {18: (28, 28), 34: (45, 31), 50: (33, 40), 101: (29, 23), 152: (50, 17)}
WIDTHS = {18: 2, 34: 2, 50: 2, 101: 1, 152: 1}


def pictures(n: int, channels: int, size: tuple[int, int]) -> torch.Tensor:
    """Patches of low frequency plus noise, so that neither the pool's bands nor the items look alike."""
    coarse = F.interpolate(torch.randn(n, channels, 4, 3), size=size, mode="bicubic", align_corners=True)
    return 1.5 * coarse + 0.5 * torch.randn(n, channels, *size) + torch.randn(n, 1, 1, 1)


@torch.no_grad()
def randomise(model: nn.Module, channels: int, size: tuple[int, int]) -> None:
    """Batch norms far from identity that still keep the signal alive: measured on random pictures, then disturbed."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, 0.1, 0.3)
    model.train()(pictures(32, channels, size))
    for norm in norms:
        norm.running_mean += 0.2 * norm.running_var.sqrt() * torch.randn_like(norm.running_mean)
        norm.running_var *= torch.empty_like(norm.running_var).uniform_(0.6, 1.6)
    model.eval()


@torch.no_grad()
def write_case(folder: Path, arch: Architecture, size: tuple[int, int], dtype: torch.dtype) -> None:
    model = ResNet(arch)
    randomise(model, arch.in_channels, size)
    model.load_state_dict({k: v.float() for k, v in rounded(model, dtype).items()}, strict=False)
    x = pictures(3, arch.in_channels, size)
    logits, embedding = model(x)
    write_model(folder, model, dtype, {
        "name": folder.name,
        "version": "1",
        "architecture": arch.to_json(),
        "input": {"height": size[0], "width": size[1], "mean": 0, "std": 1, "invert": "never", "fit": "fill"},
    })
    save_file({"input": x, "logits": logits, "embedding": embedding}, folder / "expected.safetensors")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full-width", action="store_true")
    parser.add_argument("--out", type=Path, default=NARROW)
    args = parser.parse_args()
    for depth in DEPTHS:
        for shortcut in ("projection", "zero-pad"):
            torch.manual_seed(depth)
            narrow = {} if args.full_width else {"width": WIDTHS[depth], "embedding_size": 32}
            arch = Architecture.of_depth(depth, shortcut=shortcut, **narrow)
            dtype = torch.float32 if depth == 18 or args.full_width else torch.float16
            write_case(args.out / f"resnet{depth}-{shortcut}", arch, SIZES[depth], dtype)
    if not args.full_width:
        torch.manual_seed(0)
        odd = Architecture(block="bottleneck", layers=[1, 2, 1], width=3, num_classes=5, embedding_size=7)
        write_case(args.out / "custom-blocks", odd, (11, 9), torch.float32)


if __name__ == "__main__":
    main()
