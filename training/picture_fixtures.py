"""Writes test/fixtures/pictures: small files of every kind that people upload, and what Pillow and torchvision make of each.

The photographs are parts of scikit-image's `chelsea` (CC0, Stefan van der Walt) and `coffee` (CC0, Rachel Michetti).
`pip install torchvision scikit-image 'pillow<13'`, then `python picture_fixtures.py`. Pillow 13 resizes some tall pictures from top
to bottom before it does so from left to right, which differs by at most 1 of 255.
"""

import argparse
from importlib.resources import files
from pathlib import Path
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms, ImageOps
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

HEIGHT, WIDTH = 16, 20
SHORTEST_EDGE = 24
INTERPOLATIONS = [InterpolationMode.BILINEAR, InterpolationMode.BICUBIC, InterpolationMode.NEAREST]


def photograph(name: str, box: tuple[int, int, int, int], size: tuple[int, int]) -> Image.Image:
    with files("skimage").joinpath(f"data/{name}.png").open("rb") as file:
        picture = Image.open(file).convert("RGB").crop(box).resize(size, Image.Resampling.LANCZOS)
    # It would be saved with the profile of the original.
    picture.info = {}
    return picture


def opacity(size: tuple[int, int]) -> Image.Image:
    """From nothing at the top left to all at the bottom right."""
    x, y = np.meshgrid(np.linspace(-60, 160, size[0]), np.linspace(-60, 160, size[1]))
    return Image.fromarray(np.clip(x + y, 0, 255).astype(np.uint8))


def swapped_profile() -> bytes:
    """A colour profile in which red and blue have changed places, so that nobody can overlook that it was applied."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = bytes(12)  # when it was made
    tags = {profile[at : at + 4].decode(): at for at in range(132, 132 + 12 * int.from_bytes(profile[128:132]), 12)}
    red, blue = (int.from_bytes(profile[tags[name] + 4 : tags[name] + 8]) for name in ("rXYZ", "bXYZ"))
    profile[red : red + 20], profile[blue : blue + 20] = profile[blue : blue + 20], profile[red : red + 20]
    return bytes(profile)


def png_of_16_bits(values: np.ndarray) -> bytes:
    """Pillow writes 16 bits of grey only. `[height, width, channels]`"""
    height, width, channels = values.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def with_16_bits(picture: Image.Image) -> np.ndarray:
    """The picture in the upper eight bits, noise in the lower."""
    values = np.asarray(picture).astype(np.uint16)
    values = values.reshape(picture.height, picture.width, -1)
    return values * 256 + np.random.default_rng(1).integers(0, 256, values.shape, dtype=np.uint16)


def write_pictures(folder: Path) -> None:
    cat = photograph("chelsea", (100, 20, 380, 244), (65, 52))
    cup = photograph("coffee", (200, 40, 420, 392), (45, 72))
    grey = cat.convert("L")
    alpha = opacity(cat.size)
    cat_alpha = cat.copy()
    cat_alpha.putalpha(alpha)
    turned = Image.Exif()
    turned[0x112] = 6

    cat.save(folder / "photograph.jpg", quality=90)
    cup.save(folder / "progressive.jpg", quality=85, subsampling=0, progressive=True)
    cup.save(folder / "turned.jpg", quality=90, exif=turned)
    cat.save(folder / "profile.jpg", quality=90, icc_profile=swapped_profile())
    grey.save(folder / "grey.jpg", quality=90)
    # A photographer's black is in the black ink alone; Pillow's own conversion leaves that empty.
    inks = np.asarray(cat.convert("CMYK")).copy()
    inks[..., 3] = inks[..., :3].min(axis=2)
    inks[..., :3] -= inks[..., 3:]
    Image.fromarray(inks, "CMYK").save(folder / "cmyk.jpg", quality=90)
    ycck = bytearray((folder / "cmyk.jpg").read_bytes())
    ycck[ycck.index(b"Adobe") + 11] = 2
    (folder / "ycck.jpg").write_bytes(ycck)
    photograph("chelsea", (0, 0, 451, 300), (331, 220)).save(folder / "large.jpg", quality=75)

    cup.crop((0, 0, 45, 51)).save(folder / "photograph.png")
    cat.quantize(64).save(folder / "palette.png")
    cat.quantize(64).save(folder / "palette-alpha.png", transparency=bytes(range(0, 256, 4)))
    cat_alpha.save(folder / "alpha.png")
    grey.save(folder / "grey.png")
    Image.merge("LA", (grey, alpha)).save(folder / "grey-alpha.png")
    cat.convert("1").save(folder / "bilevel.png")
    cup.crop((0, 0, 40, 40)).save(folder / "key.png", transparency=cup.getpixel((20, 25)))
    (folder / "16-bit.png").write_bytes(png_of_16_bits(with_16_bits(cup.crop((0, 0, 25, 32)))))
    (folder / "16-bit-alpha.png").write_bytes(png_of_16_bits(with_16_bits(cat_alpha.crop((15, 15, 45, 35)))))
    (folder / "16-bit-grey.png").write_bytes(png_of_16_bits(with_16_bits(grey.crop((20, 20, 50, 50)))))

    cat.save(folder / "photograph.webp", quality=85)
    cat_alpha.save(folder / "alpha.webp", quality=85, exact=True)
    cup.crop((0, 0, 40, 40)).save(folder / "lossless.webp", lossless=True)

    cup.crop((20, 40, 21, 41)).save(folder / "one-pixel.png")
    cup.crop((20, 0, 21, 72)).save(folder / "column.png")
    cat.crop((0, 30, 65, 31)).save(folder / "row.png")
    cat.resize((400, 9)).save(folder / "wide.jpg", quality=85)


def opened(path: Path, mode: str, orientation: str, alpha: str) -> Image.Image:
    picture = Image.open(path)
    if picture.mode == "I;16":
        # Pillow's convert would take all above 255 for white.
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if orientation == "exif":
        picture = ImageOps.exif_transpose(picture)
    if alpha != "drop":
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, alpha), picture)
    return picture.convert(mode)


def expected(path: Path, orientation: str = "ignore", alpha: str = "drop", edge: int = SHORTEST_EDGE) -> Image.Image:
    """A sheet of what a model would see. Left: shortest edge, then centre crop; right: height and width. One row for each
    interpolation in colour, and one for bilinear in grey."""
    sheet = Image.new("RGB", (2 * WIDTH, 4 * HEIGHT))
    rows = [*((interpolation, "RGB") for interpolation in INTERPOLATIONS), (InterpolationMode.BILINEAR, "L")]
    for row, (interpolation, mode) in enumerate(rows):
        picture = opened(path, mode, orientation, alpha)
        cropped = Compose([Resize(edge, interpolation), CenterCrop((HEIGHT, WIDTH))])
        for column, transform in enumerate([cropped, Resize((HEIGHT, WIDTH), interpolation)]):
            sheet.paste(transform(picture).convert("RGB"), (column * WIDTH, row * HEIGHT))
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "test" / "fixtures" / "pictures")
    folder = parser.parse_args().out
    (folder / "expected").mkdir(parents=True, exist_ok=True)
    write_pictures(folder)
    sheets = {path.name: expected(path) for path in sorted(folder.iterdir()) if path.is_file()}
    for name in ("alpha.png", "grey-alpha.png", "palette-alpha.png", "16-bit-alpha.png"):
        sheets[f"{name}-on-white"] = expected(folder / name, alpha="white")
    sheets["alpha.webp-on-black"] = expected(folder / "alpha.webp", alpha="black")
    sheets["turned.jpg-upright"] = expected(folder / "turned.jpg", orientation="exif")
    sheets["photograph.png-smaller-than-the-crop"] = expected(folder / "photograph.png", edge=13)
    for name, sheet in sheets.items():
        sheet.save(folder / "expected" / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
