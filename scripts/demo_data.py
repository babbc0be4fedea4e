#!/usr/bin/env python3
"""Writes pictures of the demonstration's kind, with the truth about them, for evaluation.

They are the held-out pictures of scripts/train-demo, which no model was trained on: JPEG
files, a mask of the defect for each (PNG, white is defect) in masks/, and truth.json. numpy
and Pillow are all it needs.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

import train_demo_data as data


def write_set(folder, seed, count):
    """Writes ``count`` pictures, classes in turn, and returns what truth.json says."""
    (folder / "masks").mkdir(parents=True, exist_ok=True)
    entries = []
    for index in range(count):
        label = index % len(data.CLASSES)
        pixels, mask, quality = data.make_image(seed, data.HELD_OUT_STREAM, index, label)
        name = f"{index:05d}-{data.CLASSES[label]}"
        (folder / f"{name}.jpg").write_bytes(data.encode_jpeg(pixels, quality))
        Image.fromarray(mask.astype(np.uint8) * 255).save(folder / "masks" / f"{name}.png")
        entries.append({"file": f"{name}.jpg", "class": data.CLASSES[label],
                        "mask": f"masks/{name}.png"})
    return {"images": entries}


def main():
    """Reads the command line and writes the pictures."""
    parser = argparse.ArgumentParser(prog="scripts/demo-data", description=__doc__)
    parser.add_argument("folder", type=Path, help="where to, made if missing")
    parser.add_argument("--images", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=20240607)
    arguments = parser.parse_args()
    truth = write_set(arguments.folder, arguments.seed, arguments.images)
    (arguments.folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n",
                                                 encoding="utf-8")


if __name__ == "__main__":
    main()
