"""What someone writes on top of a client that openapi-python-client makes: run.sh makes it, and runs this."""

import io
import struct
import sys
from pathlib import Path

from resnet_serve_client import AuthenticatedClient
from resnet_serve_client.api.inference import classify, embed
from resnet_serve_client.models import (
    ClassifyFilesBody,
    ClassifyJsonBody,
    ClassifyJsonBodyInputsItemType0,
    ClassifyJsonBodyInputsItemType1,
    EmbedJsonBody,
    EmbedJsonBodyInputsItemType1,
)
from resnet_serve_client.types import File

url, key, examples = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=key, raise_on_unexpected_status=True)


def picture(name: str, mime_type: str) -> File:
    return File(payload=io.BytesIO(Path(examples, name).read_bytes()), file_name=name, mime_type=mime_type)


rows = [[y / 28 if x == 14 else 0.0 for x in range(28)] for y in range(28)]
values = struct.pack("<784f", *(value for row in rows for value in row))

form = ClassifyFilesBody(file=[picture("seven.png", "image/png"), picture("three.jpg", "image/jpeg")])
answer = classify.sync(client=client, body=form, include="top", top_k="2")
assert [(result.label, len(result.top)) for result in answer.results] == [("7", 2), ("3", 2)], answer

# The type alone says that it is a picture, or nothing does but its bytes.
unnamed = [File(payload=io.BytesIO(Path(examples, "seven.png").read_bytes()), mime_type=each) for each in ("image/png", None)]
answer = classify.sync(client=client, body=ClassifyFilesBody(file=unnamed))
assert [result.label for result in answer.results] == ["7", "7"], answer

link = ClassifyJsonBodyInputsItemType0(image="https://example.com/seven.png")
tensor = ClassifyJsonBodyInputsItemType1(tensor=rows)
refused = classify.sync_detailed(client=client, body=ClassifyJsonBody(inputs=[tensor, link]))
assert (refused.status_code, refused.parsed.code, refused.parsed.index) == (400, "malformed_body", 1), refused

answer = embed.sync(client=client, body=EmbedJsonBody(inputs=[EmbedJsonBodyInputsItemType1(tensor=rows)]))
expected = answer.results[0].embedding
assert len(expected) == answer.dimensions, answer

answer = embed.sync(client=client, body=File(payload=io.BytesIO(values)))
assert all(abs(a - b) < 1e-3 for a, b in zip(answer.results[0].embedding, expected, strict=True)), answer

# The generator reads an answer as JSON or not at all, so the bytes are taken from its request.
binary = client.with_headers({"Accept": "application/octet-stream"}).get_httpx_client()
response = binary.request(**embed._get_kwargs(body=File(payload=io.BytesIO(values))))
numbers = struct.unpack(f"<{len(expected)}f", response.raise_for_status().content)
assert all(abs(a - b) < 1e-3 for a, b in zip(numbers, expected, strict=True)), response

stranger = AuthenticatedClient(base_url=url, token="wrong")
assert classify.sync(client=stranger, body=ClassifyJsonBody(inputs=[tensor])).code == "unauthorized"
