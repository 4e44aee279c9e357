"""KServe's InferenceRESTClient against the server: run.sh starts it, and runs this."""

import asyncio
import base64
import sys

import httpx
import numpy as np
from answers import Answers, assert_equal
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

url, key, examples = sys.argv[1:]
answers = Answers(url, key, examples)
base, headers = f"http://{url}", {"Authorization": f"Bearer {key}"}
OUTPUTS = ("logits", "embedding")


def request(tensor: InferInput, **parameters) -> InferRequest:
    return InferRequest("digits", [tensor], request_id="r", parameters=parameters)


async def main() -> None:
    client = InferenceRESTClient(RESTConfig(protocol="v2", retries=1))

    async def infer(sent: InferRequest) -> dict[str, np.ndarray]:
        answer = await client.infer(base, sent, model_name="digits", headers=dict(headers))
        assert (answer.id, answer.model_name) == ("r", "digits"), answer.id
        return {output.name: output.as_numpy() for output in answer.outputs}

    async def refusal(sent: InferRequest, model: str = "digits") -> str:
        try:
            await client.infer(base, sent, model_name=model, headers=dict(headers))
        except httpx.HTTPStatusError as error:
            return str(error)
        raise AssertionError("it was not refused")

    assert await client.is_server_live(base) and await client.is_server_ready(base)
    assert await client.is_model_ready(base, "digits", headers=headers)
    assert not await client.is_model_ready(base, "nope", headers=headers)

    expected = answers.of_tensors()
    for binary_input in (False, True):
        for binary_output in (False, True):
            tensor = InferInput("input", list(answers.tensors.shape), "FP32")
            tensor.set_data_from_numpy(answers.tensors, binary_data=binary_input)
            outputs = await infer(request(tensor, binary_data_output=binary_output))
            assert_equal(outputs, expected)

    texts = [base64.b64encode(picture).decode() for picture in answers.pictures]
    assert_equal(await infer(request(InferInput("input", [2], "BYTES", texts))), answers.of_pictures())

    wanted = InferRequest(
        "digits",
        [InferInput("input", [2], "BYTES", texts)],
        request_id="r",
        request_outputs=[RequestedOutput("embedding", {"binary_data": True})],
    )
    assert list(await infer(wanted)) == ["embedding"]

    wrong = InferInput("x", [1, 1, 28, 28], "FP32", answers.tensors[:1].ravel().tolist())
    assert 'there is no input "x"; it is called "input"' in await refusal(request(wrong))
    assert "no model nope" in await refusal(request(wrong), "nope")
    await client.close()


asyncio.run(main())
