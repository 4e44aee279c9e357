"""Writes a model the way the server reads it: `model.json` beside `weights.safetensors` and `reference.safetensors`."""

import hashlib
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from resnet import ResNet


def rounded(model: ResNet, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """The state_dict at the precision it is stored in; `num_batches_tracked` stays behind, inference has no use for it."""
    return {
        name: tensor.detach().to(dtype).contiguous()
        for name, tensor in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


def write_model(folder: Path, model: ResNet, dtype: torch.dtype, manifest: dict) -> None:
    write_tensors(folder, rounded(model, dtype), manifest)


def write_tensors(folder: Path, tensors: dict[str, torch.Tensor], manifest: dict) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "weights.safetensors"
    save_file(tensors, weights)
    _write_manifest(folder, {**manifest, "weights": _hash(weights)})


def write_reference(folder: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Writes reference.safetensors, and its hash into the model.json that is there."""
    reference = folder / "reference.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, reference)
    # It comes readable by its owner alone, and the server may be somebody else.
    reference.chmod(0o644)
    manifest = json.loads((folder / "model.json").read_text())
    _write_manifest(folder, {**manifest, "reference": _hash(reference)})


def _hash(file: Path) -> dict[str, str]:
    return {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}


def _write_manifest(folder: Path, manifest: dict) -> None:
    (folder / "model.json").write_text(json.dumps(manifest, indent=2) + "\n")
