"""The model as every peer serves it: weights, inputs, answers. What differs between peers stands in their files.

It is the default model's network (training/resnet.py), or a ResNet of torchvision: another one does not take the weights, or
answers otherwise, and the run ends.
"""

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson
from PIL import Image

ROOT = Path(__file__).parents[2]
# The folder of model.json, and of what is made from it.
MODEL, HOME = Path(os.environ["PEERS_MODEL"]), Path(os.environ["PEERS_HOME"])
MANIFEST = json.loads((MODEL / "model.json").read_text())
ARCHITECTURE, INPUT = MANIFEST["architecture"], MANIFEST["input"]
SHAPE = (ARCHITECTURE.get("in_channels", 1), INPUT["height"], INPUT["width"])
MEAN, STD = (np.float32(INPUT[name]).reshape(-1, 1, 1) for name in ("mean", "std"))

HOST, PORT = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8080"))
# What a peer is run with: what computes, threads of one inference, processes that hold the model, inputs of a batch, and
# how long a batch waits to grow. peers.ts says which values were best.
BACKEND = os.environ.get("BACKEND", "onnx")
THREADS = int(os.environ.get("THREADS", "2"))
WORKERS = int(os.environ.get("WORKERS", "1"))
MAX_BATCH = int(os.environ.get("MAX_BATCH", "32"))
WAIT_MS = float(os.environ.get("WAIT_MS", "0"))
TORCH_MODE = os.environ.get("TORCH_MODE", "script")

Predict = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""`[N, 1, H, W]` float32 to logits `[N, classes]` and embedding `[N, size]`."""


def decode(body: bytes) -> np.ndarray:
    """A picture, or float32 as it is, to `[C, H, W]`, normalised."""
    if body[:4] == b"\x89PNG" or body[:3] == b"\xff\xd8\xff":
        return normalise(Image.open(io.BytesIO(body)))
    return np.frombuffer(body, dtype="<f4").reshape(SHAPE)


def normalise(picture: Image.Image) -> np.ndarray:
    """As torchvision's Resize, CenterCrop and Normalize; a drawing has the model's size and form already."""
    channels, height, width = SHAPE
    picture = picture.convert("L" if channels == 1 else "RGB")
    if "resize" in INPUT:
        edge, shortest = INPUT["resize"], min(picture.size)
        picture = picture.resize([side * edge // shortest for side in picture.size], Image.Resampling.BILINEAR)
        left, top = round((picture.width - width) / 2), round((picture.height - height) / 2)
        picture = picture.crop((left, top, left + width, top + height))
    values = np.asarray(picture, dtype=np.float32).reshape(height, width, channels).transpose(2, 0, 1)
    return (values / np.float32(255) - MEAN) / STD


def answers(batch: np.ndarray, predict: Predict) -> list[dict[str, np.ndarray]]:
    logits, embedding = predict(batch)
    return [{"logits": row, "embedding": vector} for row, vector in zip(logits, embedding)]


def to_json(answer: dict[str, np.ndarray]) -> bytes:
    """Writes the shortest float32, as the product does, and is the fastest that Python has."""
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)


def open_model() -> Predict:
    return {"torch": open_torch, "onnx": open_onnx}[BACKEND]()


def pytorch_model():
    """`[N, C, H, W]` to logits and embedding."""
    import torch
    from safetensors.torch import load_file

    weights = {name: tensor.float() for name, tensor in load_file(MODEL / "weights.safetensors").items()}
    if ARCHITECTURE.get("pool", "bands") == "bands":
        sys.path.insert(0, str(ROOT / "training"))
        from resnet import Architecture, ResNet

        model = ResNet(Architecture(**ARCHITECTURE))
    else:
        model = torchvision_model(torch)
        weights = {name.replace("shortcut", "downsample"): tensor for name, tensor in weights.items()}
    # The file has no num_batches_tracked, which inference does not use.
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing)
    return model.eval().requires_grad_(False), torch


def torchvision_model(torch):
    from torchvision.models import resnet

    class WithEmbedding(resnet.ResNet):
        def forward(self, x):
            x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
            x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
            embedding = torch.flatten(self.avgpool(x), 1)
            return self.fc(embedding), embedding

    block = {"basic": resnet.BasicBlock, "bottleneck": resnet.Bottleneck}[ARCHITECTURE["block"]]
    base_width = ARCHITECTURE.get("base_width", 64)
    return WithEmbedding(block, ARCHITECTURE["layers"], ARCHITECTURE["num_classes"], width_per_group=base_width)


def open_torch() -> Predict:
    model, torch = pytorch_model()
    torch.set_num_threads(THREADS)
    fast = {"eager": eager, "script": script, "compile": compiled}[TORCH_MODE](model, torch)

    def predict(batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode():
            logits, embedding = fast(torch.from_numpy(batch))
        return logits.numpy(), embedding.numpy()

    return warmed(predict)


def eager(model, torch):
    return model


def script(model, torch):
    """Traced, BN folded into the convolutions, which oneDNN then computes in its own layout."""
    with torch.inference_mode():
        traced = torch.jit.trace(model, torch.zeros(2, *SHAPE))
        return torch.jit.optimize_for_inference(torch.jit.freeze(traced))


def compiled(model, torch):
    """By Inductor to C++, which needs a compiler; one graph for all batch sizes."""
    return torch.compile(model, dynamic=True)


ONNX_FILE = HOME / "model.onnx"


def export_onnx() -> None:
    model, torch = pytorch_model()
    torch.onnx.export(
        model,
        (torch.zeros(2, *SHAPE),),
        ONNX_FILE,
        input_names=["input"],
        output_names=["logits", "embedding"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        external_data=False,
        verbose=False,
    )


def open_onnx() -> Predict:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(ONNX_FILE, options, providers=["CPUExecutionProvider"])
    return warmed(lambda batch: tuple(session.run(["logits", "embedding"], {"input": batch})))


def warmed(predict: Predict) -> Predict:
    """The first runs of a size are slow: oneDNN and TorchScript prepare for it."""
    for size in (1, 2, MAX_BATCH):
        for _ in range(3):
            predict(np.zeros((size, *SHAPE), dtype=np.float32))
    return predict


if __name__ == "__main__":
    export_onnx()
