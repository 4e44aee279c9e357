"""KServe's InferenceGRPCClient against the server: run.sh starts it, and runs this."""

import asyncio
import logging
import sys

import grpc
import numpy as np
from answers import Answers, assert_equal
from kserve import InferenceGRPCClient, InferInput, InferRequest

url, key, examples, grpc_url, _ = sys.argv[1:]
# It logs the errors that it throws.
logging.disable(logging.ERROR)
answers = Answers(url, key, examples)
metadata = (("authorization", f"Bearer {key}"),)


async def main() -> None:
    client = InferenceGRPCClient(grpc_url)

    async def infer(tensor: InferInput, model: str = "digits") -> dict[str, np.ndarray]:
        sent = InferRequest(model, [tensor], request_id="r")
        answer = await client.infer(sent, headers=metadata)
        assert (answer.id, answer.model_name) == ("r", "digits"), answer.id
        return {output.name: output.as_numpy() for output in answer.outputs}

    async def refusal(tensor: InferInput, model: str = "digits") -> grpc.RpcError:
        try:
            await infer(tensor, model)
        except grpc.RpcError as error:
            return error
        raise AssertionError("it was not refused")

    assert await client.is_server_live() and await client.is_server_ready()
    assert await client.is_model_ready("digits", headers=metadata)

    expected = answers.of_tensors()
    for binary in (False, True):
        tensor = InferInput("input", list(answers.tensors.shape), "FP32")
        tensor.set_data_from_numpy(answers.tensors, binary_data=binary)
        assert_equal(await infer(tensor), expected)
    # As typed contents this client sends text alone.
    pictures = InferInput("input", [2], "BYTES")
    pictures.set_data_from_numpy(np.array(answers.pictures, dtype=np.object_), binary_data=True)
    assert_equal(await infer(pictures), answers.of_pictures())

    error = await refusal(tensor, "nope")
    assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "no model nope"), error
    wrong = InferInput("x", [1, 1, 28, 28], "FP32", answers.tensors[:1].ravel().tolist())
    error = await refusal(wrong)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and 'called "input"' in error.details(), error
    await client.close()


asyncio.run(main())
