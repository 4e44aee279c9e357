"""Writes the checkpoints of test/fixtures/checkpoints as the libraries themselves write them, and what they hold.

`python checkpoint_fixtures.py` needs torch, transformers, lightning and safetensors; the same versions write the same bytes.
`expected.json` has, for each file and each place in it, the dtype, shape and values of every tensor as PyTorch reads them; of many
values, the beginning of the sha256 of their float32.
"""

import hashlib
import json
import math
import shutil
from argparse import Namespace
from collections import OrderedDict, defaultdict
from pathlib import Path

import lightning
import torch
from safetensors.torch import save_file
from torch import nn
from transformers import ResNetConfig, ResNetModel

OUT = Path(__file__).parent.parent / "test" / "fixtures" / "checkpoints"

EXPECTED: dict[str, dict[str, dict]] = {}

# The legacy form holds the sources of all classes, with their paths. Theirs are not ours to commit.
torch.serialization.get_source_lines_and_file = lambda cls: ([f"class {cls.__name__}: ...\n"], 1, "module.py")


def expect(name: str, at: str, tensors: dict) -> None:
    def entry(tensor: torch.Tensor) -> dict:
        values = tensor.detach().to(torch.float32).contiguous()
        entry = {"dtype": str(tensor.dtype).removeprefix("torch."), "shape": list(tensor.shape)}
        if values.numel() > 12:
            return {**entry, "sha256": hashlib.sha256(values.numpy().tobytes()).hexdigest()[:16]}
        # JSON has no infinity.
        return {**entry, "values": [x if math.isfinite(x) else str(x) for x in values.flatten().tolist()]}

    EXPECTED.setdefault(name, {})[at] = {key: entry(tensor) for key, tensor in tensors.items()}


def save(name: str, content, **options) -> None:
    torch.save(content, OUT / name, **options)


def save_legacy(name: str, content, **options) -> None:
    """With numbers in the order of use as keys of storages: torch takes their addresses, which no two runs share."""
    keys: dict[int, int] = {}
    address = torch._C.StorageBase._cdata
    torch.UntypedStorage._cdata = property(lambda storage: 1000 + keys.setdefault(address.__get__(storage), len(keys)))
    save(name, content, _use_new_zipfile_serialization=False, **options)
    del torch.UntypedStorage._cdata


def tiny(seed: int) -> nn.Sequential:
    """Of torch's own layers, so that no class of ours is in a pickle, and with statistics that are not the initial ones."""
    torch.manual_seed(seed)
    model = nn.Sequential(OrderedDict(
        conv1=nn.Conv2d(1, 4, 3, stride=2, padding=1, bias=False),
        bn1=nn.BatchNorm2d(4, eps=1e-3),
        relu=nn.ReLU(inplace=True),
        blocks=nn.Sequential(nn.Conv2d(4, 2, (1, 3)), nn.Identity()),
        fc=nn.Linear(2, 3),
    ))
    model.bn1(torch.randn(4, 4, 5, 5))
    model.register_buffer("scale", torch.tensor(2.5))
    model.register_buffer("temporary", torch.ones(2), persistent=False)
    return model.eval()


def training_run(model: nn.Module) -> dict:
    """What a training script saves: the model, its average, an optimizer, and what it pleases."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    return {
        "epoch": 12,
        "arch": "tiny",
        "best_acc1": torch.tensor(0.75),
        "state_dict": nn.DataParallel(model).state_dict(),
        "optimizer": optimizer.state_dict(),
        "args": Namespace(lr=0.1, data="photos"),
        "state_dict_ema": dict(tiny(2).state_dict()),
        "models": [tiny(3).state_dict()],
        "scaler": None,
    }


def views() -> dict[str, torch.Tensor]:
    base = torch.arange(24, dtype=torch.float32) / 8
    grid = base.view(2, 3, 4)
    parameter = nn.Parameter(torch.tensor([1.0, -1.0]))
    parameter.note = "kept as the state of a parameter"
    return defaultdict(None, {
        "whole": base,
        "grid": grid,
        "tail": base[20:],
        "transposed": grid.transpose(0, 2),
        "every_other": base[1::2],
        "column": grid[:, 1:, 2],
        "channels_last": (torch.arange(48.0).view(2, 2, 3, 4) * 0.5).to(memory_format=torch.channels_last),
        "expanded": torch.tensor([[7.0], [8.0]]).expand(2, 5),
        "scalar": torch.tensor(-3.5),
        "scalar_view": base[5],
        "empty": torch.empty(0, 3),
        "empty_view": base[3:3],
        "ones_in_shape": grid[:1, :, :1],
        "parameter": nn.Parameter(torch.tensor([[0.5]]), requires_grad=False),
        "parameter_with_state": parameter,
        "buffer": nn.Buffer(torch.tensor([9.0])),
    })


def dtypes() -> dict[str, torch.Tensor]:
    real = torch.tensor([0.0, 1.0, 3.0, 100.0])
    tensors = {
        str(dtype).removeprefix("torch."): real.to(dtype)
        for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16,
                      torch.int8, torch.uint8, torch.uint16, torch.uint32, torch.uint64)
    }
    tensors["bool"] = torch.tensor([True, False, True])
    extremes = [math.inf, -math.inf, math.nan, -0.0, 1e-8, 65504.0, -1 / 3]
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        tensors[f"extreme_{dtype}".replace("torch.", "")] = torch.tensor(extremes, dtype=torch.float64).to(dtype)
    tensors["large_int64"] = torch.tensor([2**62 + 1, -(2**53) - 1, -1])
    tensors["large_uint64"] = torch.tensor([2**64 - 1, 5], dtype=torch.uint64)
    return tensors


def unreadable() -> dict:
    return {
        "weight": torch.ones(2),
        "complex": torch.tensor([1 + 2j]),
        "conjugate": torch.tensor([1 + 2j]).conj().imag,
        "quantised": torch.quantize_per_tensor(torch.ones(3), 0.5, 2, torch.qint8),
        "sparse": torch.eye(3).to_sparse(),
        "compressed": torch.eye(3).to_sparse_csr(),
        "nested": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
        "meta": torch.empty(2, 3, device="meta"),
        "float8": torch.ones(2).to(torch.float8_e4m3fn),
        "numpy": torch.ones(2).numpy(),
        "storage": torch.ones(2).untyped_storage(),
        "namespace": Namespace(a=1),
        "text": "none",
    }


def save_big_endian(name: str, tensors: dict[str, torch.Tensor]) -> None:
    """As torch writes it on a big-endian machine; loading it again tells. Types without storages of their own it mistakes."""
    tensors = {key: tensor for key, tensor in tensors.items() if "uint" not in key or key == "uint8"}
    swapped = {key: tensor.clone() for key, tensor in tensors.items()}
    for tensor in swapped.values():
        tensor.untyped_storage().byteswap(tensor.dtype)
    real, torch.serialization.sys = torch.serialization.sys, Namespace(byteorder="big")
    save(name, swapped)
    torch.serialization.sys = real
    for key, tensor in torch.load(OUT / name).items():
        torch.testing.assert_close(tensor, tensors[key], rtol=0, atol=0, equal_nan=True)


def expect_tensors(name: str, at: str = "") -> None:
    """What torch.load gives at that place."""
    content = torch.load(OUT / name, weights_only=False)
    for key in filter(None, at.split(".")):
        content = content[int(key) if isinstance(content, list) else key]
    if isinstance(content, nn.Module):
        content = content.state_dict()
    expect(name, at, {key: value for key, value in content.items() if isinstance(value, torch.Tensor)})


class Classifier(lightning.LightningModule):
    def __init__(self, width: int, rates: list[float]) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.model = tiny(5)

    def training_step(self, batch, _):
        return self.model.fc(batch[0]).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


def save_lightning(name: str) -> None:
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(2, 2)))
    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Classifier(4, [0.5, 0.25]), data)
    trainer.save_checkpoint(OUT / name)


def save_transformers(name: str) -> None:
    torch.manual_seed(6)
    config = ResNetConfig(num_channels=1, embedding_size=4, hidden_sizes=[4, 6], depths=[1, 1], layer_type="basic")
    model = ResNetModel(config)
    model.save_pretrained(OUT / name, max_shard_size="2KB")
    expect(name, "", model.state_dict())


def save_sharded(name: str) -> None:
    """As transformers wrote PyTorch's own files up to version 4."""
    tensors = tiny(7).state_dict()
    folder = OUT / name
    folder.mkdir()
    weight_map = {key: f"pytorch_model-0000{1 + key.startswith('fc')}-of-00002.bin" for key in tensors}
    for shard in sorted(set(weight_map.values())):
        save(f"{name}/{shard}", {key: tensor for key, tensor in tensors.items() if weight_map[key] == shard})
    index = {"metadata": {"total_size": sum(t.nbytes for t in tensors.values())}, "weight_map": weight_map}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    expect(name, "", tensors)


def main() -> None:
    torch.set_num_threads(1)
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    places = ["", "state_dict", "state_dict_ema", "models.0"]

    save("state-dict.pt", tiny(1).state_dict())
    save_legacy("legacy.pth", tiny(1).state_dict())
    save("protocol-5.pt", {**tiny(1).state_dict(), "mask": bytearray(b"110")}, pickle_protocol=5)
    save("training.pt", training_run(tiny(1)))
    save_legacy("legacy-training.pth", training_run(tiny(1)))
    save_legacy("legacy-protocol-4.pth", tiny(1).state_dict(), pickle_protocol=4)
    for name in ("state-dict.pt", "legacy.pth", "legacy-protocol-4.pth", "protocol-5.pt"):
        expect_tensors(name)
    for name in ("training.pt", "legacy-training.pth"):
        for at in places:
            expect_tensors(name, at)

    save("module.pt", tiny(4))
    save_legacy("module-legacy.pth", tiny(4))
    save("protocol-4.pt", {"model": nn.DataParallel(tiny(4))}, pickle_protocol=4)
    save("graph-module.pt", torch.fx.symbolic_trace(tiny(4)))
    for name in ("module.pt", "module-legacy.pth", "graph-module.pt"):
        expect_tensors(name)
    expect_tensors("protocol-4.pt", "model")

    save("views.pt", views())
    save_legacy("views-legacy.pth", views())
    save("dtypes.pt", dtypes())
    save_big_endian("big-endian.pt", dtypes())
    for name in ("views.pt", "views-legacy.pth", "dtypes.pt", "big-endian.pt"):
        expect_tensors(name)
    save("unreadable.pt", unreadable())

    save_file(dtypes(), OUT / "dtypes.safetensors", metadata={"format": "pt"})
    expect("dtypes.safetensors", "", dtypes())
    save_file({"complex": torch.tensor([1 + 2j]), "float8": torch.ones(2).to(torch.float8_e5m2), "weight": torch.ones(2)},
              OUT / "unreadable.safetensors")

    save_lightning("lightning.ckpt")
    expect_tensors("lightning.ckpt", "state_dict")
    save_transformers("transformers")
    save_sharded("sharded")

    (OUT / "expected.json").write_text(json.dumps(EXPECTED, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
