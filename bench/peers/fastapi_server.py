"""FastAPI around PyTorch or onnxruntime, as people write it: with a micro-batcher of one's own (MAX_BATCH > 1) or without."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import numpy as np
import uvicorn
from fastapi import FastAPI, Request, Response

import served


class MicroBatcher:
    """Takes what has gathered, up to the largest batch, whenever the model is free."""

    def __init__(self, predict: served.Predict):
        self.predict = predict
        self.queue: asyncio.Queue[tuple[np.ndarray, asyncio.Future]] = asyncio.Queue()
        # One thread: it computes while the event loop reads and writes.
        self.thread = ThreadPoolExecutor(1)

    async def submit(self, item: np.ndarray) -> dict[str, np.ndarray]:
        future = asyncio.get_running_loop().create_future()
        self.queue.put_nowait((item, future))
        return await future

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self.queue.get()]
            if served.MAX_BATCH > 1 and served.WAIT_MS > 0:
                await asyncio.sleep(served.WAIT_MS / 1000)
            while len(batch) < served.MAX_BATCH and not self.queue.empty():
                batch.append(self.queue.get_nowait())
            stacked = np.stack([item for item, _ in batch])
            try:
                results = await loop.run_in_executor(self.thread, served.answers, stacked, self.predict)
                for (_, future), result in zip(batch, results):
                    if not future.done():
                        future.set_result(result)
            except Exception as error:  # noqa: BLE001: whatever it is, it is everybody's answer
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.batcher = MicroBatcher(served.open_model())
    task = asyncio.create_task(app.state.batcher.run())
    yield
    task.cancel()


app = FastAPI(lifespan=lifespan)


@app.get("/health")
async def health() -> str:
    return "ok"


@app.post("/predict")
async def predict(request: Request) -> Response:
    item = served.decode(await request.body())
    answer = await app.state.batcher.submit(item)
    return Response(served.to_json(answer), media_type="application/json")


if __name__ == "__main__":
    uvicorn.run(
        "fastapi_server:app", host=served.HOST, port=served.PORT, workers=served.WORKERS, loop="uvloop",
        http="httptools", log_level="warning", access_log=False,
    )
