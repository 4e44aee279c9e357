"""What /embed answers: what the protocol answers must equal it."""

import base64
import json
import urllib.request
from pathlib import Path

import numpy as np


class Answers:
    def __init__(self, url: str, key: str, examples: str):
        self.url, self.key = url, key
        self.pictures = [Path(examples, name).read_bytes() for name in ("seven.png", "three.jpg")]
        self.tensors = np.random.default_rng(0).normal(size=(2, 1, 28, 28)).astype(np.float32)

    def _post(self, path: str, content_type: str, body: bytes) -> list[dict]:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": content_type}
        request = urllib.request.Request(f"http://{self.url}{path}", body, headers)
        with urllib.request.urlopen(request) as response:
            return json.load(response)["results"]

    def of_tensors(self) -> dict[str, np.ndarray]:
        """`logits` and `embedding` of `tensors`, a row each."""
        return rows(self._post("/embed", "application/octet-stream", self.tensors.tobytes()))

    def of_pictures(self) -> dict[str, np.ndarray]:
        inputs = [{"image": base64.b64encode(picture).decode()} for picture in self.pictures]
        return rows(self._post("/embed", "application/json", json.dumps({"inputs": inputs}).encode()))


def rows(results: list[dict]) -> dict[str, np.ndarray]:
    return {name: np.array([result[name] for result in results], np.float32) for name in ("logits", "embedding")}


def assert_equal(outputs: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    """Equal to 1e-6 of the largest value."""
    for name, values in expected.items():
        assert outputs[name].shape == values.shape, (name, outputs[name].shape, values.shape)
        scale = max(1.0, float(np.abs(values).max()))
        difference = float(np.abs(outputs[name] - values).max())
        assert difference <= 1e-6 * scale, (name, difference)
