"""LitServe with its own dynamic batching."""

from typing import Annotated

import litserve as ls
import numpy as np
from fastapi import Body, Response

import served


class Served(ls.LitAPI):
    def setup(self, device):
        self.predict_batch = served.open_model()

    def decode_request(self, request: Annotated[bytes, Body()]) -> np.ndarray:
        return served.decode(request)

    def batch(self, inputs):
        return np.stack(inputs)

    def predict(self, batch):
        if served.MAX_BATCH == 1:
            batch = batch[np.newaxis]
        return served.answers(batch, self.predict_batch)

    def unbatch(self, output):
        return output

    def encode_response(self, output) -> Response:
        return Response(served.to_json(output), media_type="application/json")


if __name__ == "__main__":
    api = Served(max_batch_size=served.MAX_BATCH, batch_timeout=served.WAIT_MS / 1000)
    server = ls.LitServer(api, accelerator="cpu", devices=1, workers_per_device=served.WORKERS, fast_queue=True)
    server.run(host=served.HOST, port=served.PORT, num_api_servers=1, log_level="warning", generate_client_file=False)
