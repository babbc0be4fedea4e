#!/usr/bin/env python3
"""Trains the demonstration models of the server and writes everything under conf/.

Two small networks look for defects on synthetic metal surfaces: a classifier (clean,
scratch, pit, stain) and a segmenter (defect probability of each pixel). The run is
deterministic for a given seed, machine type and library version; one CPU core is used.
"""

import argparse
import json
import re
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional

import train_demo_data as data
import train_demo_models as models

CLASSIFIER, SEGMENTER = "surface_classifier", "surface_segmenter"
OUTPUTS = {CLASSIFIER: ("probabilities", [len(data.CLASSES)]),
           SEGMENTER: ("mask", [1, data.MODEL_SIZE, data.MODEL_SIZE])}
BATCH = 64
DEMO_PER_CLASS = 10
DEMO_MAX_BYTES = 60_000
STARTED = time.monotonic()


def say(text):
    """Prints one progress line with the seconds since the start."""
    print(f"[{time.monotonic() - STARTED:6.0f} s] {text}", flush=True)


def write_json(path, value):
    """Writes a value as indented JSON, innermost lists of scalars on one line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = re.sub(r"\[[^\[\]{}]*\]", lambda found: re.sub(r"\s+", " ", found[0])
                  .replace("[ ", "[").replace(" ]", "]"), json.dumps(value, indent=2))
    path.write_text(text + "\n", encoding="utf-8")


# ---------------------------------------------------------------- training

def augment(images, masks, generator):
    """Random flips, transposition, brightness and contrast.

    images uint8 [n, 3, 128, 128] and masks uint8 [n, 1, 128, 128]; returns the network
    input (float32) and the masks as float32. Flips are drawn once for a batch.
    """
    flips = torch.rand(3, generator=generator) < 0.5
    images = images.float()
    for axis, flip in ((2, flips[0]), (3, flips[1])):
        if flip:
            images, masks = images.flip(axis), masks.flip(axis)
    if flips[2]:
        images, masks = images.transpose(2, 3), masks.transpose(2, 3)
    n = len(images)
    gain = 0.85 + 0.3 * torch.rand(n, 1, 1, 1, generator=generator)
    offset = 24.0 * (torch.rand(n, 1, 1, 1, generator=generator) - 0.5)
    images = (images * gain + offset).clamp(0, 255)
    return models.normalise(images).contiguous(), masks.float().contiguous()


def classifier_loss(logits, labels, masks):
    """Cross entropy of logits [n, 4] with lightly smoothed labels [n]."""
    return functional.cross_entropy(logits, labels, label_smoothing=0.02)


def segmenter_loss(logits, labels, masks):
    """Binary cross entropy plus soft Dice of logits and masks [n, 1, 128, 128]."""
    entropy = functional.binary_cross_entropy_with_logits(logits, masks)
    probability = torch.sigmoid(logits)
    overlap = (probability * masks).sum()
    dice = 1 - (2 * overlap + 1) / (probability.sum() + masks.sum() + 1)
    return entropy + 0.5 * dice


def train(network, loss_of, dataset, epochs, peak_rate, seed):
    """Trains with AdamW under a one-cycle rate; the network is left in eval mode."""
    images, labels, masks = dataset
    generator = torch.Generator().manual_seed(seed)
    steps = len(images) // BATCH
    optimiser = torch.optim.AdamW(network.parameters(), lr=peak_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, peak_rate, total_steps=epochs * steps, pct_start=0.2)
    for epoch in range(epochs):
        network.train()
        order = torch.randperm(len(images), generator=generator)
        total = 0.0
        for step in range(steps):
            pick = order[step * BATCH:(step + 1) * BATCH]
            batch, targets = augment(images[pick], masks[pick], generator)
            loss = loss_of(network(batch), labels[pick], targets)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        say(f"  epoch {epoch + 1}/{epochs}: loss {total / steps:.4f}")
    network.eval()


@torch.no_grad()
def predict(network, images):
    """Logits of uint8 images [n, 3, 128, 128], in batches."""
    network.eval()
    return torch.cat([network(models.normalise(part)) for part in images.split(BATCH)])


# ---------------------------------------------------------------- accuracy

def classifier_accuracy(network, held_out):
    """Accuracy and the confusion matrix (rows true class, columns predicted)."""
    images, labels, _ = held_out
    found = predict(network, images).argmax(dim=1)
    count = len(data.CLASSES)
    confusion = torch.bincount(labels * count + found, minlength=count * count)
    return {
        "metric": "accuracy",
        "value": round((found == labels).float().mean().item(), 4),
        "classes": list(data.CLASSES),
        "confusion": confusion.reshape(count, count).tolist(),
        "confusion_axes": "rows: true class, columns: predicted class",
    }


def iou(found, truth):
    """Intersection over union of two bool tensors; 1 when both are empty."""
    union = (found | truth).sum().item()
    return (found & truth).sum().item() / union if union else 1.0


def segmenter_accuracy(network, held_out):
    """Pixel scores at probability 0.5 over the whole held-out set."""
    images, labels, masks = held_out
    found, truth = predict(network, images) > 0, masks.bool()
    defect, background = iou(found, truth), iou(~found, ~truth)
    by_class = {name: round(iou(found[labels == k], truth[labels == k]), 4)
                for k, name in enumerate(data.CLASSES) if k > 0}
    pairs = torch.bincount((truth.long() * 2 + found.long()).flatten(), minlength=4)
    return {
        "metric": "mean_iou",
        "value": round((defect + background) / 2, 4),
        "defect_iou": round(defect, 4),
        "background_iou": round(background, 4),
        "defect_iou_by_class": by_class,
        "pixel_accuracy": round((found == truth).float().mean().item(), 4),
        "false_defect_pixels_on_clean": round(found[labels == 0].float().mean().item(), 6),
        "threshold": 0.5,
        "confusion": pairs.reshape(2, 2).tolist(),
        "confusion_axes": "rows: true background, true defect; columns: predicted; pixels",
    }


# ---------------------------------------------------------------- files

def model_config(name):
    """The model's configuration in Triton's ModelConfig vocabulary."""
    output, dims = OUTPUTS[name]
    size = data.MODEL_SIZE
    return {
        "name": name, "backend": "onnxruntime", "max_batch_size": 16,
        "input": [{"name": "image", "data_type": "TYPE_FP32", "format": "FORMAT_NCHW",
                   "dims": [3, size, size]}],
        "output": [{"name": output, "data_type": "TYPE_FP32", "dims": dims,
                    "label_filename": "labels.txt"}],
        "instance_group": [{"kind": "KIND_AUTO", "count": 1}],
        "dynamic_batching": {"max_queue_delay_microseconds": 0},
        "conveyor": {"preprocessing": [{
            "input": "image", "mode": "RESIZE", "height": size, "width": size,
            "color": "RGB", "layout": "NCHW", "data_type": "TYPE_FP32",
            "mean": [models.MEAN] * 3, "scale": [models.SCALE] * 3}]},
    }


def write_model(out, name, network, labels, accuracy):
    """Writes the ONNX file and, beside it, labels, accuracy and configuration."""
    folder = out / "models" / name
    size = models.export(network, OUTPUTS[name][0], folder / "1" / "model.onnx")
    (folder / "labels.txt").write_text("\n".join(labels) + "\n", encoding="utf-8")
    write_json(folder / "accuracy.json", accuracy)
    write_json(folder / "config.json", model_config(name))
    say(f"{name}: {accuracy['metric']} {accuracy['value']}, {size} bytes")


def write_demo(out, seed):
    """Writes the demonstration JPEGs and truth.json; returns them as a data set."""
    folder = out / "demo" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.jpg"):
        old.unlink()
    entries, inputs, labels = [], [], []
    index = 0
    counts = [0] * len(data.CLASSES)
    while sum(counts) < DEMO_PER_CLASS * len(counts):
        label = counts.index(min(counts))
        pixels, mask, quality = data.make_image(seed, data.DEMO_STREAM, index, label)
        jpeg = data.encode_jpeg(pixels, quality)
        index += 1
        if len(jpeg) >= DEMO_MAX_BYTES:
            continue
        counts[label] += 1
        file = f"{data.CLASSES[label]}-{counts[label]:02d}.jpg"
        (folder / file).write_bytes(jpeg)
        entries.append({"file": file, "class": data.CLASSES[label],
                        "width": pixels.shape[1], "height": pixels.shape[0],
                        "defect_area": round(float(np.mean(mask)), 5)})
        inputs.append(data.to_model_input(data.decode_jpeg(jpeg)))
        labels.append(label)
    entries.sort(key=lambda entry: entry["file"])
    write_json(out / "demo" / "truth.json", {"images": entries})
    return torch.stack(inputs), torch.tensor(labels), None


def parse_arguments():
    """The command line of scripts/train-demo."""
    parser = argparse.ArgumentParser(prog="scripts/train-demo", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("conf"), help="target folder")
    parser.add_argument("--seed", type=int, default=20240607)
    parser.add_argument("--images", type=int, default=8000, help="training images")
    parser.add_argument("--held-out", type=int, default=1200, help="held-out images")
    parser.add_argument("--classifier-epochs", type=int, default=14)
    parser.add_argument("--segmenter-epochs", type=int, default=7)
    return parser.parse_args()


def origin(arguments):
    """What an accuracy record says about the run that produced it."""
    return {
        "held_out_images": arguments.held_out,
        "training_images": arguments.images,
        "seed": arguments.seed,
        "command": f"scripts/train-demo --out conf --seed {arguments.seed}"
                   f" --images {arguments.images} --held-out {arguments.held_out}"
                   f" --classifier-epochs {arguments.classifier_epochs}"
                   f" --segmenter-epochs {arguments.segmenter_epochs}",
        "torch": torch.__version__,
    }


def main():
    """Makes the data, trains both networks and writes every file."""
    arguments = parse_arguments()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    seed, out = arguments.seed, arguments.out
    say(f"making {arguments.images} training and {arguments.held_out} held-out images")
    training = data.make_set(seed, data.TRAIN_STREAM, arguments.images, say)
    held_out = data.make_set(seed, data.HELD_OUT_STREAM, arguments.held_out)
    demo = write_demo(out, seed)

    say(f"training {CLASSIFIER}")
    torch.manual_seed(seed)
    classifier = models.SurfaceClassifier(len(data.CLASSES))
    train(classifier, classifier_loss, training, arguments.classifier_epochs, 4e-3, seed)
    accuracy = {**classifier_accuracy(classifier, held_out), **origin(arguments)}
    write_model(out, CLASSIFIER, classifier, data.CLASSES, accuracy)
    right = (predict(classifier, demo[0]).argmax(dim=1) == demo[1]).sum().item()
    say(f"demonstration images classified correctly: {right}/{len(demo[1])}")

    say(f"training {SEGMENTER}")
    torch.manual_seed(seed)
    segmenter = models.SurfaceSegmenter()
    train(segmenter, segmenter_loss, training, arguments.segmenter_epochs, 4e-3, seed)
    accuracy = {**segmenter_accuracy(segmenter, held_out), **origin(arguments)}
    write_model(out, SEGMENTER, segmenter, ("defect",), accuracy)
    say("done")


if __name__ == "__main__":
    main()
