"""Mosec: HTTP and batching in Rust, one worker process that decodes and computes."""

import os

import numpy as np
from mosec import Server, Worker

import served


class Served(Worker):
    def __init__(self):
        super().__init__()
        self.predict = served.open_model()

    def deserialize(self, data: bytes) -> np.ndarray:
        return served.decode(data)

    def forward(self, data):
        if served.MAX_BATCH == 1:
            return served.answers(data[np.newaxis], self.predict)[0]
        return served.answers(np.stack(data), self.predict)

    def serialize(self, data) -> bytes:
        return served.to_json(data)


if __name__ == "__main__":
    # Its options come from the command line or the environment, and are read when the server is made.
    os.environ.update(MOSEC_ADDRESS=served.HOST, MOSEC_PORT=str(served.PORT), MOSEC_LOG_LEVEL="warning")
    server = Server()
    # Mosec takes no wait under a millisecond.
    server.append_worker(
        Served, num=served.WORKERS, max_batch_size=served.MAX_BATCH, max_wait_time=max(1, int(served.WAIT_MS)),
        route="/predict", timeout=30,
    )
    server.run()
