"""What someone writes with OpenAI's client for Python: run.sh installs it, and runs this."""

import base64
import json
import struct
import sys
import urllib.request
from pathlib import Path

import openai

url, key, examples, limited, unavailable = sys.argv[1:]
client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)


def picture(name: str) -> str:
    return base64.b64encode(Path(examples, name).read_bytes()).decode()


def rounded(embedding: list[float]) -> tuple[float, ...]:
    """As float32: every form must be the same to the last bit."""
    return struct.unpack(f"<{len(embedding)}f", struct.pack(f"<{len(embedding)}f", *embedding))


seven, three = picture("seven.png"), f"data:image/jpeg;base64,{picture('three.jpg')}"
headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
body = json.dumps({"inputs": [{"image": seven}, {"image": three}]}).encode()
with urllib.request.urlopen(urllib.request.Request(f"{url}/embed", body, headers)) as response:
    expected = [rounded(result["embedding"]) for result in json.load(response)["results"]]

# One and many; what the client asks for by itself, numbers, and base64.
one = client.embeddings.create(model="digits", input=seven)
assert [rounded(one.data[0].embedding), one.model, one.usage.total_tokens] == [expected[0], "digits:1", 0], one
many = client.embeddings.create(model="digits:1", input=[seven, three], user="me", dimensions=len(expected[0]))
assert [rounded(each.embedding) for each in many.data] == expected
assert [(each.object, each.index) for each in many.data] == [("embedding", 0), ("embedding", 1)]
floats = client.embeddings.create(model="digits", input=[seven, three], encoding_format="float")
assert [rounded(each.embedding) for each in floats.data] == expected
coded = client.embeddings.create(model="digits", input=[seven, three], encoding_format="base64")
assert [struct.unpack("<256f", base64.b64decode(each.embedding)) for each in coded.data] == expected
unit = client.embeddings.create(model="digits", input=seven, extra_body={"normalize": True})
assert abs(sum(value * value for value in unit.data[0].embedding) - 1) < 1e-5

# As vLLM's documentation has it.
content = [{"type": "image_url", "image_url": {"url": three}}]
messages = {"messages": [{"role": "user", "content": content}], "model": "digits", "encoding_format": "float"}
answer = client.post("/embeddings", cast_to=openai.types.CreateEmbeddingResponse, body=messages)
assert rounded(answer.data[0].embedding) == expected[1], answer

assert [model.id for model in client.models.list()] == ["digits"]
assert client.models.retrieve("digits").owned_by == "resnet-serve"
assert client.models.retrieve("digits:1").id == "digits:1"


def failure(call, error: type[openai.APIStatusError], code: str) -> openai.APIStatusError:
    try:
        answer = call()
    except openai.APIStatusError as raised:
        assert (type(raised), raised.code) == (error, code), raised
        assert raised.request_id, "the client knows X-Request-Id"
        return raised
    raise AssertionError(f"{answer} is no {error}")


def embed(of: openai.OpenAI = client, model: str = "digits", **arguments):
    return lambda: of.embeddings.create(model=model, **({"input": seven} | arguments))


failure(embed(model="text-embedding-3-small"), openai.NotFoundError, "model_not_found")
failure(lambda: client.models.retrieve("nothing"), openai.NotFoundError, "model_not_found")
failure(lambda: client.chat.completions.create(model="digits", messages=[]), openai.NotFoundError, "not_found")
failure(embed(dimensions=3), openai.BadRequestError, "invalid_parameter")
link = failure(embed(input="https://example.com/seven.png"), openai.BadRequestError, "malformed_body")
assert link.type == "invalid_request_error" and "URLs are not fetched" in link.message, link
failure(embed(input="some text"), openai.UnprocessableEntityError, "undecodable_image")
stranger = openai.OpenAI(base_url=f"{url}/v1", api_key="wrong", max_retries=0)
failure(embed(stranger), openai.AuthenticationError, "unauthorized")
failure(stranger.models.list, openai.AuthenticationError, "unauthorized")
busy = [openai.OpenAI(base_url=each, api_key="none", max_retries=0) for each in (limited, unavailable)]
failure(embed(busy[0]), openai.RateLimitError, "overloaded")
failure(embed(busy[1]), openai.InternalServerError, "overloaded")
