"""The shipped model as every peer serves it: weights, inputs, answers. What differs between peers stands in their files."""

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
MODEL = ROOT / "models" / "digits" / "1"
MANIFEST = json.loads((MODEL / "model.json").read_text())
HEIGHT, WIDTH = MANIFEST["input"]["height"], MANIFEST["input"]["width"]
MEAN, STD = MANIFEST["input"]["mean"], MANIFEST["input"]["std"]

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
    """PNG bytes, or float32 as it is, to `[1, H, W]`, normalised. The picture has the model's size and form already."""
    if body[:4] == b"\x89PNG":
        return normalise(Image.open(io.BytesIO(body)))
    return np.frombuffer(body, dtype="<f4").reshape(1, HEIGHT, WIDTH)


def normalise(picture: Image.Image) -> np.ndarray:
    grey = np.asarray(picture.convert("L"), dtype=np.float32)
    return ((grey / np.float32(255) - np.float32(MEAN)) / np.float32(STD))[np.newaxis]


def answers(batch: np.ndarray, predict: Predict) -> list[dict[str, np.ndarray]]:
    logits, embedding = predict(batch)
    return [{"logits": row, "embedding": vector} for row, vector in zip(logits, embedding)]


def to_json(answer: dict[str, np.ndarray]) -> bytes:
    """Writes the shortest float32, as the product does, and is the fastest that Python has."""
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)


def open_model() -> Predict:
    return {"torch": open_torch, "onnx": open_onnx}[BACKEND]()


def pytorch_model():
    import torch
    from safetensors.torch import load_file

    sys.path.insert(0, str(ROOT / "training"))
    from resnet import Architecture, ResNet

    model = ResNet(Architecture(**MANIFEST["architecture"]))
    weights = load_file(MODEL / "weights.safetensors")
    # The file has no num_batches_tracked, which inference does not use.
    missing, unexpected = model.load_state_dict({k: v.float() for k, v in weights.items()}, strict=False)
    assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing)
    return model.eval().requires_grad_(False), torch


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
        traced = torch.jit.trace(model, torch.zeros(2, 1, HEIGHT, WIDTH))
        return torch.jit.optimize_for_inference(torch.jit.freeze(traced))


def compiled(model, torch):
    """By Inductor to C++, which needs a compiler; one graph for all batch sizes."""
    return torch.compile(model, dynamic=True)


def onnx_file() -> Path:
    return Path(os.environ["PEERS_HOME"]) / "digits.onnx"


def export_onnx() -> None:
    model, torch = pytorch_model()
    torch.onnx.export(
        model,
        (torch.zeros(2, 1, HEIGHT, WIDTH),),
        onnx_file(),
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
    session = onnxruntime.InferenceSession(onnx_file(), options, providers=["CPUExecutionProvider"])
    return warmed(lambda batch: tuple(session.run(["logits", "embedding"], {"input": batch})))


def warmed(predict: Predict) -> Predict:
    """The first runs of a size are slow: oneDNN and TorchScript prepare for it."""
    for size in (1, 2, MAX_BATCH):
        for _ in range(3):
            predict(np.zeros((size, 1, HEIGHT, WIDTH), dtype=np.float32))
    return predict


if __name__ == "__main__":
    export_onnx()
