"""tritonclient[grpc] against the server, and its published schema against the server's part of it: run.sh runs this."""

import sys
import tempfile
from pathlib import Path

import numpy as np
import tritonclient.grpc as triton
from answers import Answers, assert_equal
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc
from tritonclient.grpc import model_config_pb2, service_pb2
from tritonclient.utils import InferenceServerException

url, key, examples, grpc_url, schema = sys.argv[1:]
answers = Answers(url, key, examples)
client = triton.InferenceServerClient(grpc_url)
OUTPUTS = ("logits", "embedding")
headers = {"authorization": f"Bearer {key}"}


def messages(files: list[FileDescriptorProto]) -> dict[str, DescriptorProto]:
    found = {}

    def add(prefix: str, message: DescriptorProto) -> None:
        found[f"{prefix}{message.name}"] = message
        for nested in message.nested_type:
            add(f"{prefix}{message.name}.", nested)

    for file in files:
        for message in file.message_type:
            add("", message)
    return found


def fields(message: DescriptorProto) -> set[tuple]:
    return {(field.name, field.number, field.type, field.label, field.type_name.split(".")[-1]) for field in message.field}


def assert_schema_is_published() -> None:
    """Every field that the server knows has its published name, number and type."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "ours.proto").write_text(schema)
        assert protoc.main(["", f"-I{folder}", f"--descriptor_set_out={folder}/ours", "ours.proto"]) == 0
        ours = FileDescriptorSet.FromString(Path(folder, "ours").read_bytes())
    files = [FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb) for module in (service_pb2, model_config_pb2)]
    published = messages(files)
    known = messages(list(ours.file))
    assert len(known) > 30, known
    for name, message in known.items():
        assert fields(message) <= fields(published[name]), (name, fields(message) - fields(published[name]))
    enums = {enum.name: enum for file in files for enum in file.enum_type}
    for enum in ours.file[0].enum_type:
        assert list(enum.value) == list(enums[enum.name].value), enum


def refusal(call) -> InferenceServerException:
    try:
        call()
    except InferenceServerException as error:
        return error
    raise AssertionError("it was not refused")


def tensor_input(values: np.ndarray, datatype: str) -> triton.InferInput:
    tensor = triton.InferInput("input", list(values.shape), datatype)
    tensor.set_data_from_numpy(values)
    return tensor


def outputs_of(result: triton.InferResult) -> dict[str, np.ndarray]:
    return {name: result.as_numpy(name) for name in OUTPUTS}


assert_schema_is_published()

assert client.is_server_live() and client.is_server_ready()
assert client.is_model_ready("digits", headers=headers) and client.is_model_ready("digits", "1", headers=headers)
assert not client.is_model_ready("nope", headers=headers)
assert client.get_server_metadata(headers=headers).name == "resnet-serve"
metadata = client.get_model_metadata("digits", headers=headers)
assert list(metadata.inputs[0].shape) == [-1, 1, 28, 28], metadata
assert [output.name for output in metadata.outputs] == ["logits", "probabilities", "embedding"], metadata
config = client.get_model_config("digits", headers=headers).config
assert config.max_batch_size > 1 and list(config.input[0].dims) == [1, 28, 28], config
assert config.input[0].data_type == model_config_pb2.TYPE_FP32 and config.HasField("dynamic_batching"), config
index = client.get_model_repository_index(headers=headers).models
assert [(model.name, model.version, model.state) for model in index] == [("digits", "1", "READY")], index

expected = answers.of_tensors()
inputs = [tensor_input(answers.tensors, "FP32")]
assert_equal(outputs_of(client.infer("digits", inputs, headers=headers)), expected)
wanted = [triton.InferRequestedOutput(name) for name in OUTPUTS]
result = client.infer("digits", inputs, "1", wanted, "r", priority=2, timeout=10_000_000, client_timeout=30, headers=headers)
assert result.get_response().id == "r", result.get_response()
assert_equal(outputs_of(result), expected)
half = client.infer("digits", [tensor_input(answers.tensors.astype(np.float16), "FP16")], headers=headers)
assert np.allclose(half.as_numpy("logits"), expected["logits"], rtol=0.02, atol=0.05)

pictures = tensor_input(np.array(answers.pictures, dtype=np.object_), "BYTES")
assert_equal(outputs_of(client.infer("digits", [pictures], headers=headers)), answers.of_pictures())
wanted = [triton.InferRequestedOutput("probabilities", class_count=2)]
classes = client.infer("digits", [pictures], outputs=wanted, headers=headers).as_numpy("probabilities")
assert [text.decode().split(":")[1:] for text in classes[:, 0]] == [["7", "7"], ["3", "3"]], classes

(statistics,) = client.get_inference_statistics("digits", "1", headers=headers).model_stats
assert statistics.inference_count >= 8 and statistics.inference_stats.success.count >= 4, statistics

error = refusal(lambda: client.infer("digits", inputs, compression_algorithm="gzip", headers=headers))
assert (error.status(), error.message()) == ("StatusCode.UNIMPLEMENTED", "send messages without compression"), error
error = refusal(lambda: client.infer("nope", inputs, headers=headers))
assert (error.status(), error.message()) == ("StatusCode.NOT_FOUND", "no model nope"), error
error = refusal(lambda: client.infer("digits", inputs, outputs=[triton.InferRequestedOutput("nope")], headers=headers))
assert error.status() == "StatusCode.INVALID_ARGUMENT" and 'no output "nope"' in error.message(), error
error = refusal(lambda: client.infer("digits", inputs))
assert error.status() == "StatusCode.UNAUTHENTICATED" and "authorization" in error.message(), error
large = tensor_input(np.zeros((8000, 1, 28, 28), np.float32), "FP32")
error = refusal(lambda: client.infer("digits", [large], headers=headers))
assert error.status() == "StatusCode.INVALID_ARGUMENT" and "larger than" in error.message(), error
error = refusal(lambda: client.load_model("digits", headers=headers))
assert error.status() == "StatusCode.UNIMPLEMENTED", error
assert_equal(outputs_of(client.infer("digits", inputs, headers=headers)), expected)
