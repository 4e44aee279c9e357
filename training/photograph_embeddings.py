"""Writes test/fixtures/photograph-embeddings.json: what torchvision's own pipeline makes of photographs, from file to embedding.

The model is the narrow one of test/fixtures/parity/torchvision-basic, the photographs are those of test/fixtures/pictures.
It needs what library_fixtures.py needs.
"""

import json

import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn
from torchvision.transforms import CenterCrop, Compose, Normalize, Resize, ToTensor

from fixtures import NARROW
from library_fixtures import NARROW_CASES, torchvision_name

FIXTURES = NARROW.parent
MODEL = "torchvision-basic"
PICTURES = ["photograph.jpg", "progressive.jpg", "turned.jpg", "large.jpg", "photograph.png", "photograph.webp", "cmyk.jpg"]
TRANSFORMS = Compose([Resize(40), CenterCrop(36), ToTensor(), Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])


@torch.inference_mode()
def main() -> None:
    model = NARROW_CASES[MODEL]().model.eval()
    weights = load_file(NARROW / MODEL / "weights.safetensors")
    counters = {name: value for name, value in model.state_dict().items() if name.endswith("num_batches_tracked")}
    named = {name: weights[torchvision_name(name)].float() for name in model.state_dict() if name not in counters}
    model.load_state_dict(named | counters)
    model.fc = nn.Identity()
    embeddings = {}
    for name in PICTURES:
        with Image.open(FIXTURES / "pictures" / name) as picture:
            embeddings[name] = model(TRANSFORMS(picture.convert("RGB"))[None])[0].tolist()
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(values)}" for name, values in embeddings.items())
    (FIXTURES / "photograph-embeddings.json").write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
