"""Asks the server what the libraries answered: `python compare.py <folder> <url>`. Prints a line for each case, and fails where one differs."""

import json
import sys
import urllib.request
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

PICTURE = Path(__file__).parent / "picture.jpg"
MAX_DIFFERENCE = 1e-3
LEAST_COSINE = 0.9995


def ask(url: str, body: bytes, content_type: str) -> dict:
    request = urllib.request.Request(url, body, {"Content-Type": content_type})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def difference(actual, expected: np.ndarray) -> float:
    actual = np.array(actual, dtype=np.float32)
    assert actual.shape == expected.shape, (actual.shape, expected.shape)
    return float(np.max(np.abs(actual - expected).max(1) / np.abs(expected).max(1)))


def cosine(a, b: np.ndarray) -> float:
    a = np.array(a, dtype=np.float64)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def main() -> None:
    folder, url = Path(sys.argv[1]), sys.argv[2]
    failed = False
    for case in sorted(folder.glob("*.expected.safetensors")):
        name = case.name.removesuffix(".expected.safetensors")
        expected = load_file(case)
        answers = ask(f"{url}/embed?model={name}", expected["input"].tobytes(), "application/octet-stream")["results"]
        embedding = difference([each["embedding"] for each in answers], expected["embedding"])
        has_logits = "logits" in answers[0]
        logits = difference([each["logits"] for each in answers], expected["logits"]) if has_logits else 0.0
        of_picture = ask(f"{url}/embed?model={name}", PICTURE.read_bytes(), "image/jpeg")["results"][0]["embedding"]
        similarity = cosine(of_picture, expected["picture"][0])
        good = max(embedding, logits) <= MAX_DIFFERENCE and similarity >= LEAST_COSINE
        failed |= not good
        print(f"{'ok' if good else 'FAILED':6} {name:16} embedding {embedding:.1e}, logits {logits:.1e}, cosine of a picture {similarity:.6f}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
