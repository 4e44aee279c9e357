"""Writes a model the way the server reads it: `model.json` beside `weights.safetensors`."""

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
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "weights.safetensors"
    save_file(rounded(model, dtype), weights)
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    manifest = {**manifest, "weights": {"sha256": sha256}}
    (folder / "model.json").write_text(json.dumps(manifest, indent=2) + "\n")
