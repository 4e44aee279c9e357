"""Accuracy on the validation images as a running server answers: PNG uploads to POST /classify, nothing computed here.

`python evaluate.py --data <folder of IDX files> --url http://127.0.0.1:8080`
"""

import argparse
import base64
import io
import json
import urllib.request
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

import mnist

BATCH = 100


def png(image: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def classify(url: str, images: np.ndarray) -> list[int]:
    body = json.dumps({"inputs": [{"image": png(image)} for image in images]}).encode()
    request = urllib.request.Request(
        f"{url}/classify?include=top&top_k=1", body, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request) as response:
        return [result["class_id"] for result in json.load(response)["results"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    args = parser.parse_args()
    _, (images, labels) = mnist.load(args.data)
    pictures, truth = images.squeeze(1).numpy(), labels.tolist()
    predicted = [
        label
        for start in range(0, len(pictures), BATCH)
        for label in classify(args.url, pictures[start : start + BATCH])
    ]
    wrong = Counter((t, p) for t, p in zip(truth, predicted) if t != p)
    print(f"{len(truth) - wrong.total()} of {len(truth)} right: {1 - wrong.total() / len(truth):.4f}")
    for (t, p), count in wrong.most_common(10):
        print(f"{t} read as {p}: {count}")


if __name__ == "__main__":
    main()
