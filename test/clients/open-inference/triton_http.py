"""tritonclient[http] against the server: run.sh starts it, and runs this."""

import base64
import sys

import numpy as np
import tritonclient.http as triton
from answers import Answers, assert_equal
from tritonclient.utils import InferenceServerException

url, key, examples = sys.argv[1:]
answers = Answers(url, key, examples)
client = triton.InferenceServerClient(url)
OUTPUTS = ("logits", "embedding")


def headers() -> dict[str, str]:
    """New ones for each request: the client writes the length of its JSON into them."""
    return {"Authorization": f"Bearer {key}"}


def refusal(call) -> InferenceServerException:
    try:
        call()
    except InferenceServerException as error:
        return error
    raise AssertionError("it was not refused")


def tensor_input(values: np.ndarray, datatype: str, binary: bool) -> triton.InferInput:
    tensor = triton.InferInput("input", list(values.shape), datatype)
    tensor.set_data_from_numpy(values, binary_data=binary)
    return tensor


def outputs_of(result: triton.InferResult) -> dict[str, np.ndarray]:
    return {name: result.as_numpy(name) for name in OUTPUTS}


assert client.is_server_live() and client.is_server_ready()
assert client.is_model_ready("digits", headers=headers()) and client.is_model_ready("digits", "1", headers=headers())
assert not client.is_model_ready("nope", headers=headers())

metadata = client.get_server_metadata(headers=headers())
assert metadata["name"] == "resnet-serve" and "binary_tensor_data" in metadata["extensions"], metadata
metadata = client.get_model_metadata("digits", headers=headers())
assert metadata["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 1, 28, 28]}], metadata
assert [output["name"] for output in metadata["outputs"]] == ["logits", "probabilities", "embedding"], metadata
config = client.get_model_config("digits", headers=headers())
assert config["max_batch_size"] > 1 and config["input"][0]["dims"] == [1, 28, 28], config

expected = answers.of_tensors()
for binary_input in (False, True):
    inputs = [tensor_input(answers.tensors, "FP32", binary_input)]
    # All outputs, which this client wants as bytes; then as it is told.
    assert_equal(outputs_of(client.infer("digits", inputs, headers=headers())), expected)
    for binary_output in (False, True):
        wanted = [triton.InferRequestedOutput(name, binary_data=binary_output) for name in OUTPUTS]
        result = client.infer("digits", inputs, "1", wanted, request_id="r", priority=2, timeout=10_000_000, headers=headers())
        assert result.get_response()["id"] == "r", result.get_response()
        assert_equal(outputs_of(result), expected)

# Half precision is all that these outputs lose.
half = client.infer("digits", [tensor_input(answers.tensors.astype(np.float16), "FP16", True)], headers=headers())
assert np.allclose(half.as_numpy("logits"), expected["logits"], rtol=0.02, atol=0.05)

# Pixels as the model's own preprocessing has them: divided by 255, less the mean, by the deviation.
pixels = np.random.default_rng(1).integers(0, 256, (1, 1, 28, 28), dtype=np.uint8)
normalised = ((pixels.astype(np.float32) / 255 - np.float32(0.1307)) / np.float32(0.3081)).astype(np.float32)
of_pixels = [client.infer("digits", [tensor_input(pixels, "UINT8", binary)], headers=headers()) for binary in (False, True)]
of_values = client.infer("digits", [tensor_input(normalised, "FP32", True)], headers=headers())
for result in of_pixels:
    assert_equal(outputs_of(result), outputs_of(of_values))

expected = answers.of_pictures()
as_bytes = tensor_input(np.array(answers.pictures, dtype=np.object_), "BYTES", True)
as_text = tensor_input(np.array([base64.b64encode(picture) for picture in answers.pictures], dtype=np.object_), "BYTES", False)
for pictures in (as_bytes, as_text):
    assert_equal(outputs_of(client.infer("digits", [pictures], headers=headers())), expected)

for binary in (False, True):
    wanted = [triton.InferRequestedOutput("probabilities", binary_data=binary, class_count=2)]
    classes = client.infer("digits", [as_bytes], outputs=wanted, headers=headers()).as_numpy("probabilities")
    assert classes.shape == (2, 2), classes
    texts = [text.decode() if isinstance(text, bytes) else str(text) for text in classes[:, 0]]
    assert [text.split(":")[1:] for text in texts] == [["7", "7"], ["3", "3"]], texts

statistics = client.get_inference_statistics("digits", "1", headers=headers())["model_stats"][0]
assert statistics["inference_count"] >= 20 >= statistics["inference_stats"]["fail"]["count"], statistics
assert sum(batch["compute_infer"]["count"] for batch in statistics["batch_stats"]) == statistics["execution_count"], statistics
assert client.get_inference_statistics(headers=headers())["model_stats"], "of all models"

for algorithm in ("gzip", "deflate"):
    error = refusal(lambda: client.infer("digits", inputs, request_compression_algorithm=algorithm, headers=headers()))
    assert (error.status(), error.message()) == ("415", "send the body without Content-Encoding"), error
error = refusal(lambda: client.infer("digits", [triton.InferInput("INPUT0", [1], "BYTES")], headers=headers()))
assert error.status() == "400" and "input" in error.message(), error
error = refusal(lambda: client.infer("digits", inputs, outputs=[triton.InferRequestedOutput("nope")], headers=headers()))
assert (error.status(), error.message()) == ("400", 'there is no output "nope"; there are logits, probabilities, embedding'), error
error = refusal(lambda: client.infer("nope", inputs, headers=headers()))
assert (error.status(), error.message()) == ("404", "no model nope"), error
error = refusal(lambda: client.infer("digits", inputs))
assert (error.status(), error.message()) == ("401", "send Authorization: Bearer <API key>"), error
# Bodies that are refused before they are read.
large = tensor_input(np.zeros((8000, 1, 28, 28), np.float32), "FP32", True)
error = refusal(lambda: client.infer("digits", [large], headers=headers()))
assert error.status() == "413" and "larger than" in error.message(), error
assert_equal(outputs_of(client.infer("digits", [as_bytes], headers=headers())), expected)
