"""BentoML with its adaptive batching: pictures as multipart files, tensors as JSON, the two forms it batches itself."""

from typing import Any

import bentoml
import numpy as np
from PIL.Image import Image

import served

batched = bentoml.api(batchable=True, max_batch_size=served.MAX_BATCH, max_latency_ms=60_000)


@bentoml.service(
    workers=served.WORKERS, threads=1, traffic={"timeout": 60}, metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class Served:
    def __init__(self) -> None:
        self.predict = served.open_model()

    @batched
    def pictures(self, images: list[Image]) -> list[dict[str, Any]]:
        return self.answers(np.stack([served.normalise(image) for image in images]))

    @batched
    def tensors(self, tensors: np.ndarray) -> list[dict[str, Any]]:
        return self.answers(tensors.astype(np.float32, copy=False).reshape(-1, *served.SHAPE))

    def answers(self, batch: np.ndarray) -> list[dict[str, Any]]:
        return [{k: v.tolist() for k, v in answer.items()} for answer in served.answers(batch, self.predict)]
