"""BentoML with its adaptive batching: pictures as multipart files, tensors as JSON, the two forms it batches itself."""

from typing import Any

import bentoml
import numpy as np
from PIL.Image import Image

import digits

batched = bentoml.api(batchable=True, max_batch_size=digits.MAX_BATCH, max_latency_ms=60_000)


@bentoml.service(
    workers=digits.WORKERS, threads=1, traffic={"timeout": 60}, metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class Digits:
    def __init__(self) -> None:
        self.predict = digits.open_model()

    @batched
    def pictures(self, images: list[Image]) -> list[dict[str, Any]]:
        return self.answers(np.stack([digits.normalise(image) for image in images]))

    @batched
    def tensors(self, tensors: np.ndarray) -> list[dict[str, Any]]:
        return self.answers(tensors.astype(np.float32, copy=False))

    def answers(self, batch: np.ndarray) -> list[dict[str, Any]]:
        return [{k: v.tolist() for k, v in answer.items()} for answer in digits.answers(batch, self.predict)]
