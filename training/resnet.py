"""The ResNet that resnet-serve serves, in PyTorch. `src/resnet/resnet.ts` is its twin.

Input `[N, in_channels, H, W]` float32; output `(logits [N, num_classes], embedding [N, embedding_size])`.
The state_dict names are the contract between the two sides; docs/model.md lists them.
"""

from dataclasses import asdict, dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DEPTHS = {
    18: ("basic", [2, 2, 2, 2]),
    34: ("basic", [3, 4, 6, 3]),
    50: ("bottleneck", [3, 4, 6, 3]),
    101: ("bottleneck", [3, 4, 23, 3]),
    152: ("bottleneck", [3, 8, 36, 3]),
}
EXPANSION = {"basic": 1, "bottleneck": 4}
BANDS = 4


@dataclass
class Architecture:
    """What model.json calls `architecture`, field for field."""

    block: str = "basic"
    layers: list[int] = field(default_factory=lambda: [2, 2, 2, 2])
    width: int = 64
    shortcut: str = "projection"
    in_channels: int = 1
    embedding_size: int = 256
    num_classes: int = 9

    @staticmethod
    def of_depth(depth: int, **rest) -> "Architecture":
        block, layers = DEPTHS[depth]
        return Architecture(block=block, layers=list(layers), **rest)

    def to_json(self) -> dict:
        return asdict(self)


class ZeroPad(nn.Module):
    """Shortcut option A: subsample, then pad channels with zeros, half on each side. No parameters."""

    def __init__(self, in_planes: int, out_planes: int, stride: int):
        super().__init__()
        before = (out_planes - in_planes) // 2
        self.stride, self.pad = stride, (before, out_planes - in_planes - before)

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, *self.pad))


def make_shortcut(kind: str, in_planes: int, out_planes: int, stride: int) -> nn.Module:
    if stride == 1 and in_planes == out_planes:
        return nn.Identity()
    if kind == "zero-pad":
        return ZeroPad(in_planes, out_planes, stride)
    return nn.Sequential(
        nn.Conv2d(in_planes, out_planes, 1, stride=stride, bias=False),
        nn.BatchNorm2d(out_planes),
    )


class BasicBlock(nn.Module):
    def __init__(self, in_planes: int, planes: int, stride: int, shortcut: str):
        super().__init__()
        self.conv1 = nn.Conv2d(in_planes, planes, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.shortcut = make_shortcut(shortcut, in_planes, planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(x))


class Bottleneck(nn.Module):
    def __init__(self, in_planes: int, planes: int, stride: int, shortcut: str):
        super().__init__()
        out_planes = planes * EXPANSION["bottleneck"]
        self.conv1 = nn.Conv2d(in_planes, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, out_planes, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_planes)
        self.shortcut = make_shortcut(shortcut, in_planes, out_planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = F.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return F.relu(out + self.shortcut(x))


BLOCKS = {"basic": BasicBlock, "bottleneck": Bottleneck}


class ResNet(nn.Module):
    def __init__(self, arch: Architecture):
        super().__init__()
        self.arch = arch
        expansion = EXPANSION[arch.block]
        self.conv1 = nn.Conv2d(arch.in_channels, arch.width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(arch.width)
        in_planes = arch.width
        for stage, blocks in enumerate(arch.layers):
            planes = arch.width * 2**stage
            modules = []
            for i in range(blocks):
                stride = 2 if stage > 0 and i == 0 else 1
                modules.append(BLOCKS[arch.block](in_planes, planes, stride, arch.shortcut))
                in_planes = planes * expansion
            self.add_module(f"layer{stage + 1}", nn.Sequential(*modules))
        self.pool = nn.AdaptiveAvgPool2d([BANDS, 1])
        self.fc = nn.Linear(in_planes * BANDS, arch.embedding_size)
        self.linear = nn.Linear(arch.embedding_size, arch.num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        out = F.relu(self.bn1(self.conv1(x)))
        for stage in range(len(self.arch.layers)):
            out = getattr(self, f"layer{stage + 1}")(out)
        embedding = self.fc(torch.flatten(self.pool(out), 1))
        return self.linear(embedding), embedding
