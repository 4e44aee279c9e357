"""Mosec: HTTP and batching in Rust, one worker process that decodes and computes."""

import os

import numpy as np
from mosec import Server, Worker

import digits


class Digits(Worker):
    def __init__(self):
        super().__init__()
        self.predict = digits.open_model()

    def deserialize(self, data: bytes) -> np.ndarray:
        return digits.decode(data)

    def forward(self, data):
        if digits.MAX_BATCH == 1:
            return digits.answers(data[np.newaxis], self.predict)[0]
        return digits.answers(np.stack(data), self.predict)

    def serialize(self, data) -> bytes:
        return digits.to_json(data)


if __name__ == "__main__":
    # Its options come from the command line or the environment, and are read when the server is made.
    os.environ.update(MOSEC_ADDRESS=digits.HOST, MOSEC_PORT=str(digits.PORT), MOSEC_LOG_LEVEL="warning")
    server = Server()
    # Mosec takes no wait under a millisecond.
    server.append_worker(
        Digits, num=digits.WORKERS, max_batch_size=digits.MAX_BATCH, max_wait_time=max(1, int(digits.WAIT_MS)),
        route="/predict", timeout=30,
    )
    server.run()
