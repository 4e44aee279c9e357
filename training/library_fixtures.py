"""Writes parity fixtures from the libraries' own modules: torchvision, timm and transformers, and the ResNet for CIFAR.

`python library_fixtures.py` writes the narrow ones of test/fixtures/parity. It needs, beside requirements.txt,
`pip install torchvision timm transformers`. `--full-width --out <folder>` writes published sizes at 224 x 224, for the table
in docs/model.md.

Each folder has what fixtures.py writes, the weights under canonical names (docs/model.md), and `names.json`: the library's
own names and shapes, and the architecture that they are.
"""

import argparse
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from timm.layers import BatchNormAct2d, create_conv2d
from timm.models import resnet as timm_resnet
from timm.models.resnetv2 import ResNetV2
from torch import Tensor, nn
from torchvision.models import resnet as torchvision_resnet
from transformers import ResNetConfig, ResNetForImageClassification, ResNetModel

from fixtures import NARROW, pictures, randomise
from model_files import write_tensors

STEM_7X7 = {"convs": [{"out": 8, "kernel": 7, "stride": 2}], "max_pool": True}


@dataclass
class Case:
    model: nn.Module
    architecture: dict
    """From the library's name of a tensor to the canonical one."""
    rename: Callable[[str], str]
    """The module whose output is the pooled vector."""
    pool: str
    size: tuple[int, int]


# --- torchvision


class NarrowTorchvision(torchvision_resnet.ResNet):
    """With `width` planes in the first stage and in the stem, where torchvision has 64."""

    def __init__(self, block, layers, width: int, in_channels: int = 3, **options):
        self.width, self.in_channels = width, in_channels
        super().__init__(block, layers, **options)
        self.fc = nn.Linear(8 * width * block.expansion, self.fc.out_features)

    def _make_layer(self, block, planes, blocks, stride=1, dilate=False):
        if planes == 64:
            self.inplanes = self.width
            self.conv1 = nn.Conv2d(self.in_channels, self.width, 7, stride=2, padding=3, bias=False)
            self.bn1 = nn.BatchNorm2d(self.width)
        return super()._make_layer(block, planes * self.width // 64, blocks, stride, dilate)


def torchvision_name(name: str) -> str:
    return name.replace("downsample", "shortcut")


def torchvision(
    block: str,
    layers: list[int],
    size: tuple[int, int],
    width: int = 3,
    base_width: int = 64,
    in_channels: int = 3,
    classes: int = 6,
) -> Case:
    module = {"basic": torchvision_resnet.BasicBlock, "bottleneck": torchvision_resnet.Bottleneck}[block]
    model = NarrowTorchvision(module, layers, width, in_channels, num_classes=classes, width_per_group=base_width)
    architecture = {
        "block": block,
        "layers": layers,
        "width": width,
        "in_channels": in_channels,
        "stem": {"convs": [{"out": width, "kernel": 7, "stride": 2}], "max_pool": True},
        "pool": "mean",
        "num_classes": classes,
    }
    if base_width != 64:
        architecture["base_width"] = base_width
    return Case(model, architecture, torchvision_name, "avgpool", size)


def torchvision_cifar() -> Case:
    """The usual change for small pictures, here of one channel: a 3x3 stem, no max-pool."""
    case = torchvision("basic", [1, 1, 1, 1], (15, 22), in_channels=1)
    case.model.conv1 = nn.Conv2d(1, 3, 3, padding=1, bias=False)
    case.model.maxpool = nn.Identity()
    case.architecture["stem"] = {"convs": [{"out": 3, "kernel": 3, "stride": 1}], "max_pool": False}
    return case


def torchvision_head() -> Case:
    case = torchvision("basic", [1, 1, 1, 1], (23, 19))
    case.model.fc = nn.Sequential(nn.Linear(24, 10), nn.ReLU(), nn.Dropout(0.5), nn.Linear(10, 6))
    case.architecture |= {"hidden_sizes": [10], "hidden_activation": "relu"}
    case.rename = lambda name: torchvision_name(name).replace("fc.3", "fc.1")
    return case


def torchvision_headless() -> Case:
    case = torchvision("bottleneck", [1, 1, 1, 1], (25, 25), width=2)
    case.model.fc = nn.Identity()
    case.architecture["num_classes"] = 0
    return case


# --- timm


def timm_v1_name(name: str) -> str:
    # In front of a pooled projection is the pool, or an Identity in its place.
    return re.sub(r"downsample\.([12])", lambda index: f"shortcut.{int(index[1]) - 1}", name)


def timm_v1(block: str, stem: list[int], size: tuple[int, int], **options) -> Case:
    """Deep stems and pooled projections. `stem` has the outputs of its three convolutions."""
    module = {"basic": timm_resnet.BasicBlock, "bottleneck": timm_resnet.Bottleneck}[block]
    planes = [4, 6, 10, 12] if block == "basic" else [3, 4, 6, 8]
    model = timm_resnet.ResNet(module, [1, 2, 1, 1], num_classes=5, channels=planes, **options)
    architecture = {
        "block": block,
        "layers": [1, 2, 1, 1],
        "planes": planes,
        "in_channels": 3,
        "stem": {
            "convs": [{"out": out, "kernel": 3, "stride": 1 if i else 2} for i, out in enumerate(stem)],
            "max_pool": True,
        },
        "pool": "mean",
        "num_classes": 5,
    }
    if not options.get("avg_down"):
        return Case(model, architecture, torchvision_name, "global_pool", size)
    return Case(model, architecture | {"shortcut": "pooled-projection"}, timm_v1_name, "global_pool", size)


def timm_v2_name(name: str) -> str:
    name = re.sub(r"^stem\.conv\.", "conv1.", name)
    name = re.sub(r"^stem\.conv(\d)\.", lambda index: f"conv1.{3 * int(index[1]) - 3}.", name)
    name = re.sub(r"^stem\.norm(\d)\.", lambda index: f"conv1.{3 * int(index[1]) - 2}.", name)
    name = re.sub(r"^stages\.(\d)\.blocks\.", lambda index: f"layer{int(index[1]) + 1}.", name)
    name = re.sub(r"^(layer.*)\.norm(\d)\.", r"\1.bn\2.", name)
    return name.replace("downsample.conv", "shortcut.0").replace("head.fc", "fc")


def timm_v2(block: str, size: tuple[int, int], **options) -> Case:
    # timm rounds widths to multiples of 8.
    planes = [8, 8, 8]
    deep = options.get("stem_type") == "deep"
    outs = [8, 8, 16] if deep else [16]
    model = ResNetV2(
        [1, 2, 1],
        [out * (1 if block == "basic" else 4) for out in planes],
        num_classes=5,
        stem_chs=16,
        basic=block == "basic",
        bottle_ratio=1.0 if block == "basic" else 0.25,
        conv_layer=create_conv2d,
        norm_layer=BatchNormAct2d,
        **options,
    )
    architecture = {
        "block": block,
        "layers": [1, 2, 1],
        "planes": planes,
        "in_channels": 3,
        "stem": {
            "convs": [{"out": out, "kernel": 3 if deep else 7, "stride": 1 if i else 2} for i, out in enumerate(outs)],
            "max_pool": True,
        },
        "shortcut": "pooled-projection" if options.get("avg_down") else "projection",
        "preactivation": True,
        "pool": "mean",
        "num_classes": 5,
    }
    return Case(model, architecture, timm_v2_name, "head.global_pool", size)


# --- transformers


def transformers_name(name: str) -> str:
    name = re.sub(r"^resnet\.", "", name)
    name = name.replace("embedder.embedder.convolution", "conv1").replace("embedder.embedder.normalization", "bn1")
    name = re.sub(r"^encoder\.stages\.(\d)\.layers\.", lambda index: f"layer{int(index[1]) + 1}.", name)
    name = re.sub(r"\.layer\.(\d)\.convolution", lambda index: f".conv{int(index[1]) + 1}", name)
    name = re.sub(r"\.layer\.(\d)\.normalization", lambda index: f".bn{int(index[1]) + 1}", name)
    name = name.replace("shortcut.convolution", "shortcut.0").replace("shortcut.normalization", "shortcut.1")
    return name.replace("classifier.1", "fc")


def transformers(block: str, size: tuple[int, int], classes: int, v1: bool = False) -> Case:
    sizes = [8, 12, 14] if block == "basic" else [16, 24, 40]
    config = ResNetConfig(
        embedding_size=8,
        hidden_sizes=sizes,
        depths=[2, 1, 1],
        layer_type=block,
        downsample_in_bottleneck=v1,
        num_labels=classes,
    )
    model = ResNetForImageClassification(config) if classes else ResNetModel(config)
    architecture = {
        "block": block,
        "layers": [2, 1, 1],
        "planes": [each // (1 if block == "basic" else 4) for each in sizes],
        "in_channels": 3,
        "stem": STEM_7X7,
        "pool": "mean",
        "num_classes": classes,
    }
    if v1:
        architecture["stride_on"] = "1x1"
    return Case(model, architecture, transformers_name, "resnet.pooler" if classes else "pooler", size)


# --- the ResNet for CIFAR (He et al., section 4.2), as it is usually written down


class CifarBlock(nn.Module):
    def __init__(self, in_planes: int, planes: int, stride: int, before: int):
        super().__init__()
        self.conv1 = nn.Conv2d(in_planes, planes, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.stride, self.pad = stride, (before, planes - in_planes - before)

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(out + F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, *self.pad)))


class CifarResNet(nn.Module):
    """`half`: half of the zeros are before the channels, else all are after them."""

    def __init__(self, blocks: int, width: int, half: bool):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        in_planes = width
        for stage in range(3):
            planes = width * 2**stage
            layer = nn.Sequential()
            for index in range(blocks):
                before = (planes - in_planes) // 2 if half else 0
                layer.append(CifarBlock(in_planes, planes, 2 if stage > 0 and index == 0 else 1, before))
                in_planes = planes
            self.add_module(f"layer{stage + 1}", layer)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(in_planes, 10)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.layer3(self.layer2(self.layer1(out)))
        return self.linear(torch.flatten(self.pool(out), 1))


def cifar(half: bool) -> Case:
    """ResNet-20, narrower."""
    architecture = {
        "block": "basic",
        "layers": [3, 3, 3],
        "width": 3,
        "in_channels": 3,
        "shortcut": "zero-pad" if half else "zero-pad-after",
        "pool": "mean",
        "num_classes": 10,
    }
    return Case(CifarResNet(3, 3, half), architecture, lambda name: name.replace("linear", "fc"), "pool", (13, 17))


NARROW_CASES: dict[str, Callable[[], Case]] = {
    "torchvision-basic": lambda: torchvision("basic", [2, 1, 1, 1], (29, 21)),
    "torchvision-bottleneck": lambda: torchvision("bottleneck", [1, 2, 1, 1], (27, 22), width=2),
    "torchvision-wide": lambda: torchvision("bottleneck", [1, 1, 1, 1], (21, 31), width=1, base_width=128),
    "torchvision-cifar": torchvision_cifar,
    "torchvision-head": torchvision_head,
    "torchvision-headless": torchvision_headless,
    "timm-c": lambda: timm_v1("basic", [4, 4, 8], (23, 26), stem_type="deep", stem_width=4),
    "timm-d-basic": lambda: timm_v1("basic", [4, 4, 8], (31, 21), stem_type="deep", stem_width=4, avg_down=True),
    "timm-d-bottleneck": lambda: timm_v1("bottleneck", [6, 6, 12], (21, 29), stem_type="deep", stem_width=6, avg_down=True),
    "timm-t": lambda: timm_v1("bottleneck", [3, 4, 8], (29, 19), stem_type="deep_tiered", stem_width=4, avg_down=True),
    "timm-v2-basic": lambda: timm_v2("basic", (19, 26)),
    "timm-v2-bottleneck": lambda: timm_v2("bottleneck", (27, 21)),
    "timm-v2-d": lambda: timm_v2("bottleneck", (21, 23), stem_type="deep", avg_down=True),
    "transformers-v1": lambda: transformers("bottleneck", (25, 27), classes=4, v1=True),
    "transformers-v1.5": lambda: transformers("bottleneck", (26, 21), classes=4),
    "transformers-basic": lambda: transformers("basic", (25, 21), classes=0),
    "cifar-half": lambda: cifar(half=True),
    "cifar-after": lambda: cifar(half=False),
}


# --- as published


def published(model: nn.Module, rename: Callable[[str], str], pool: str, architecture: dict) -> Case:
    stem = {"convs": [{"out": 64, "kernel": 7, "stride": 2}], "max_pool": True}
    defaults = {"in_channels": 3, "stem": stem, "pool": "mean", "num_classes": 1000}
    return Case(model, defaults | architecture, rename, pool, (224, 224))


DEEP_STEM = {
    "convs": [{"out": 32, "kernel": 3, "stride": 2}, {"out": 32, "kernel": 3, "stride": 1}, {"out": 64, "kernel": 3, "stride": 1}],
    "max_pool": True,
}
FULL_WIDTH_CASES: dict[str, Callable[[], Case]] = {
    **{
        f"torchvision-resnet{depth}": lambda depth=depth: published(
            getattr(torchvision_resnet, f"resnet{depth}")(), torchvision_name, "avgpool", {"depth": depth}
        )
        for depth in (18, 50, 152)
    },
    "torchvision-wide_resnet50_2": lambda: published(
        torchvision_resnet.wide_resnet50_2(), torchvision_name, "avgpool", {"depth": 50, "base_width": 128}
    ),
    "timm-resnet50d": lambda: published(
        timm.create_model("resnet50d"),
        timm_v1_name,
        "global_pool",
        {"depth": 50, "stem": DEEP_STEM, "shortcut": "pooled-projection"},
    ),
    "timm-resnetv2_50": lambda: published(
        timm.create_model("resnetv2_50"), timm_v2_name, "head.global_pool", {"depth": 50, "preactivation": True}
    ),
    "transformers-resnet-50": lambda: published(
        ResNetForImageClassification(ResNetConfig(num_labels=1000)), transformers_name, "resnet.pooler", {"depth": 50}
    ),
}


@torch.no_grad()
def disturb(model: nn.Module) -> None:
    """Classifiers that begin at zero or next to it, and biases that do."""
    for name, parameter in model.named_parameters():
        if re.search(r"(^|\.)(fc|linear|classifier)\b.*", name) and parameter.requires_grad:
            parameter += 0.1 * torch.randn_like(parameter)


@torch.no_grad()
def write_case(folder: Path, case: Case, dtype: torch.dtype) -> None:
    model, channels = case.model, case.architecture["in_channels"]
    disturb(model)
    randomise(model, channels, case.size)
    stored = model.state_dict()
    model.load_state_dict({k: v.to(dtype).float() if v.is_floating_point() else v for k, v in stored.items()})
    pooled: list[Tensor] = []
    model.get_submodule(case.pool).register_forward_hook(lambda _, __, output: pooled.append(torch.flatten(output, 1)))
    x = pictures(3, channels, case.size).half().float()
    answer = model(x)
    expected = {"input": x.half(), "embedding": pooled[0]}
    if case.architecture["num_classes"] > 0:
        expected["logits"] = getattr(answer, "logits", answer)
    height, width = case.size
    fit = {"invert": "never", "fit": "fill"} if channels == 1 else {"channels": "rgb", "resize": [height, width]}
    weights = {}
    for name, tensor in model.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            canonical = case.rename(name)
            # timm's v2 classifier is a 1x1 convolution.
            weights[canonical] = tensor.flatten(1) if canonical == "fc.weight" else tensor
    write_tensors(folder, {name: tensor.to(dtype).contiguous() for name, tensor in weights.items()}, {
        "name": folder.name,
        "version": "1",
        "architecture": case.architecture,
        "input": {"height": height, "width": width, "mean": 0, "std": 1, **fit},
    })
    save_file({name: tensor.contiguous() for name, tensor in expected.items()}, folder / "expected.safetensors")
    tensors = [[name, list(tensor.shape)] for name, tensor in stored.items()]
    names = {"tensors": tensors, "expected_architecture": case.architecture}
    (folder / "names.json").write_text(json.dumps(names, separators=(",", ":")) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full-width", action="store_true")
    parser.add_argument("--out", type=Path, default=NARROW)
    parser.add_argument("--only", nargs="*")
    args = parser.parse_args()
    cases = FULL_WIDTH_CASES if args.full_width else NARROW_CASES
    for seed, (name, make) in enumerate(cases.items()):
        if args.only and name not in args.only:
            continue
        torch.manual_seed(seed)
        write_case(args.out / name, make(), torch.float32 if args.full_width else torch.float16)


if __name__ == "__main__":
    main()
