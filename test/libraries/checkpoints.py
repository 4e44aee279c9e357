"""Saves one checkpoint of each kind as its library saves it, and what the library itself answers.

`python checkpoints.py <folder>` writes for each case `<case>.pth` (or .ckpt, or a folder), `<case>.json` with the arguments of
`resnet-serve import`, and `<case>.expected.safetensors`: input, logits, embedding, and the embedding of a picture.
"""

import json
import sys
import warnings
from pathlib import Path

import timm
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision import transforms

warnings.filterwarnings("ignore")
torch.set_num_threads(2)
PICTURE = Path(__file__).parent / "picture.jpg"
IMAGENET = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


def torchvision_transform(interpolation=transforms.InterpolationMode.BILINEAR, resize: int = 256):
    return transforms.Compose(
        [transforms.Resize(resize, interpolation), transforms.CenterCrop(224), transforms.ToTensor(), IMAGENET]
    )


@torch.no_grad()
def randomise(model: nn.Module, x: Tensor) -> nn.Module:
    """Batch norms far from their initial values that keep the signal alive."""
    norms = [each for each in model.modules() if isinstance(each, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, 0.1, 0.3)
    model.train()(x)
    return model.eval()


def pooled(model: nn.Module, layer: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """The logits, and what `layer` gives on the way: the pooled vector."""
    kept = []
    handle = layer.register_forward_hook(lambda _module, _args, output: kept.append(output.flatten(1)))
    with torch.no_grad():
        logits = model(x)
    handle.remove()
    return getattr(logits, "logits", logits), kept[0]


class Case:
    """A checkpoint, and what is expected of it."""

    def __init__(self, folder: Path, name: str):
        self.folder, self.name = folder, name

    def write(self, file: str, model: nn.Module, pool: nn.Module, prepare, *options: str, channels: int = 3) -> None:
        torch.manual_seed(1)
        x = torch.randn(2, channels, 224, 224)
        logits, embedding = pooled(model, pool, x)
        picture = Image.open(PICTURE).convert("RGB" if channels == 3 else "L")
        _, of_picture = pooled(model, pool, prepare(picture)[None])
        expected = {"input": x, "logits": logits, "embedding": embedding, "picture": of_picture}
        save_file({key: value.contiguous().clone() for key, value in expected.items()}, self.folder / f"{self.name}.expected.safetensors")
        (self.folder / f"{self.name}.json").write_text(json.dumps({"file": file, "options": list(options)}))


def calibration(channels: int = 3) -> Tensor:
    torch.manual_seed(0)
    return torch.randn(4, channels, 128, 128)


def torchvision_models(folder: Path) -> None:
    for name in ("resnet18", "resnet50"):
        model = randomise(getattr(torchvision.models, name)(), calibration())
        torch.save(model.state_dict(), folder / f"{name}.pth")
        Case(folder, name).write(f"{name}.pth", model, model.avgpool, torchvision_transform())


def replaced_head(folder: Path) -> None:
    """One input channel by a convolution with a bias, as people forget to leave it out, and a classifier of two layers."""
    model = torchvision.models.resnet34()
    model.conv1 = nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3)
    model.fc = nn.Sequential(nn.Linear(512, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 7))
    randomise(model, calibration(1))
    torch.save({"epoch": 3, "net": model.state_dict(), "optimizer": torch.optim.AdamW(model.parameters()).state_dict()}, folder / "replaced-head.pt")
    prepare = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(), transforms.Normalize(0.449, 0.226)])
    Case(folder, "replaced-head").write("replaced-head.pt", model, model.avgpool, prepare, channels=1)


def timm_models(folder: Path) -> None:
    for name in ("resnet50d", "resnetv2_50"):
        model = randomise(timm.create_model(name, num_classes=10), calibration())
        timm.models.save_for_hf(model, folder / name, safe_serialization=name == "resnet50d")
        prepare = timm.data.create_transform(**timm.data.resolve_data_config({}, model=model))
        crop = prepare.transforms[1].size
        if tuple(crop) != (224, 224):
            # Some train at another size; the input below has 224.
            prepare = torchvision_transform()
        pool = model.global_pool if name == "resnet50d" else model.head.global_pool
        Case(folder, name).write(name, model, pool, prepare, "--size", "224x224")


def transformers_folder(folder: Path) -> None:
    from transformers import ConvNextImageProcessor, ResNetConfig, ResNetForImageClassification

    labels = {0: "cat", 1: "dog", 2: "hare"}
    config = ResNetConfig(num_labels=3, id2label=labels, label2id={v: k for k, v in labels.items()}, downsample_in_bottleneck=True)
    model = randomise(ResNetForImageClassification(config), calibration())
    processor = ConvNextImageProcessor(size={"shortest_edge": 224}, crop_pct=0.875, resample=3, image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])
    model.save_pretrained(folder / "transformers-v1")
    processor.save_pretrained(folder / "transformers-v1")
    prepare = lambda picture: processor(picture, return_tensors="pt")["pixel_values"][0]
    Case(folder, "transformers-v1").write("transformers-v1", model, model.resnet.pooler, prepare)


def lightning_checkpoint(folder: Path) -> None:
    import lightning as L

    class Classifier(L.LightningModule):
        def __init__(self):
            super().__init__()
            self.save_hyperparameters({"lr": 0.1, "classes": 5})
            self.backbone = torchvision.models.resnet18(num_classes=5)
            self.loss = nn.CrossEntropyLoss(weight=torch.ones(5))

        def training_step(self, batch, _index):
            return self.loss(self.backbone(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=1e-4, momentum=0.9)

    torch.manual_seed(0)
    data = torch.utils.data.TensorDataset(torch.randn(4, 3, 64, 64), torch.arange(4))
    module = Classifier()
    trainer = L.Trainer(max_steps=2, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
    trainer.fit(module, torch.utils.data.DataLoader(data, batch_size=4))
    randomise(module.backbone, calibration())
    trainer.save_checkpoint(folder / "lightning.ckpt")
    Case(folder, "lightning").write("lightning.ckpt", module.backbone, module.backbone.avgpool, torchvision_transform())


def parallel_and_compiled(folder: Path) -> None:
    """DataParallel around torch.compile, with a moving average beside it, in the format from before PyTorch 1.6."""
    model = randomise(torchvision.models.wide_resnet50_2(num_classes=4), calibration())
    wrapped = nn.DataParallel(torch.compile(model))
    average = torch.optim.swa_utils.AveragedModel(torchvision.models.wide_resnet50_2(num_classes=4))
    saved = {"model": wrapped.state_dict(), "model_ema": average.state_dict(), "args": {"lr": 0.1}}
    torch.save(saved, folder / "parallel.pth", _use_new_zipfile_serialization=False)
    Case(folder, "parallel").write("parallel.pth", model, model.avgpool, torchvision_transform())


def whole_module(folder: Path) -> None:
    """Small pictures: a 3x3 stem without a max-pool, the classifier taken off, and the module itself saved."""
    model = torchvision.models.resnet18()
    model.conv1, model.maxpool, model.fc = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity(), nn.Identity()
    randomise(model, torch.randn(4, 3, 64, 64))
    torch.save(model, folder / "module.pth")
    Case(folder, "module").write("module.pth", model, model.avgpool, torchvision_transform(), "--preprocessing", "torchvision")


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for make in (torchvision_models, replaced_head, timm_models, transformers_folder, lightning_checkpoint, parallel_and_compiled, whole_module):
        make(folder)


if __name__ == "__main__":
    main()
