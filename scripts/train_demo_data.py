"""Synthetic surface-inspection images: metal textures with and without defects.

Every image is a pure function of (seed, stream, index), so the training set, the
held-out set and the demonstration set never share an image and each can be made again
in any order.

Conventions used throughout:
  * ``h``, ``w``   native image size in pixels;
  * ``canvas``     float32 array [h, w, 3], RGB, grey levels 0..255;
  * ``unit``       native pixels per model pixel (the larger of w/128 and h/128), the
                   scale in which defects are drawn so that they survive the resize;
  * ``alpha``      float32 array [h, w], 0..1, how much of a defect covers a pixel;
  * ``mask``       bool array [h, w], the pixels counted as defect.
"""

import io
import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

CLASSES = ("clean", "scratch", "pit", "stain")
MODEL_SIZE = 128

#: Native sizes (width, height) in pixels: landscape, portrait and square.
NATIVE_SIZES = (
    (160, 120), (200, 150), (240, 180), (320, 240), (400, 300), (480, 360), (640, 480),
    (120, 160), (240, 320), (360, 480), (160, 160), (256, 256), (384, 384),
)

TRAIN_STREAM, HELD_OUT_STREAM, DEMO_STREAM = 1, 2, 3


# ---------------------------------------------------------------- noise helpers

def resize_plane(plane, h, w):
    """Bicubic resize of a float32 plane [a, b] to [h, w]."""
    image = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32), mode="F")
    return np.asarray(image.resize((w, h), Image.BICUBIC))


def smooth_noise(rng, h, w, cell_h, cell_w):
    """Smooth unit-variance noise [h, w] whose features span cell_h x cell_w pixels."""
    grid_h = max(2, int(math.ceil(h / cell_h)) + 1)
    grid_w = max(2, int(math.ceil(w / cell_w)) + 1)
    plane = resize_plane(rng.standard_normal((grid_h, grid_w)), h, w)
    return plane / (plane.std() + 1e-6)


def blur_plane(plane, radius):
    """Gaussian blur of a 0..1 plane [h, w]; radius in pixels."""
    image = Image.fromarray(np.clip(plane * 255.0, 0, 255).astype(np.uint8), mode="L")
    blurred = image.filter(ImageFilter.GaussianBlur(radius))
    return np.asarray(blurred, dtype=np.float32) / 255.0


# ---------------------------------------------------------------- metal textures

def brushed_texture(rng, h, w, unit):
    """Fine parallel grain, [h, w] in grey levels around 0."""
    amplitude = rng.uniform(3.0, 10.0)
    length = rng.uniform(30, 90) * unit
    fine = smooth_noise(rng, h, w, max(1.0, 0.5 * unit), length)
    coarse = smooth_noise(rng, h, w, 2.5 * unit, 2.0 * length)
    return amplitude * (0.75 * fine + 0.45 * coarse)


def rolled_texture(rng, h, w, unit):
    """Broad roller bands with a weak fine grain, [h, w] in grey levels around 0."""
    bands = smooth_noise(rng, h, w, rng.uniform(6, 18) * unit, 400.0 * unit)
    grain = smooth_noise(rng, h, w, max(1.0, 0.7 * unit), 8.0 * unit)
    return rng.uniform(3, 9) * bands + rng.uniform(1.5, 4.0) * grain


def cast_texture(rng, h, w, unit):
    """Isotropic granular casting skin, [h, w] in grey levels around 0."""
    plane = np.zeros((h, w), dtype=np.float32)
    for cell, weight in ((1.2, 0.9), (2.5, 0.6), (6.0, 0.45), (20.0, 0.35)):
        size = max(1.0, cell * unit)
        plane += weight * smooth_noise(rng, h, w, size, size)
    return rng.uniform(3.0, 8.0) * plane


TEXTURES = (brushed_texture, rolled_texture, cast_texture)


def illumination(rng, h, w):
    """Multiplicative light field [h, w]: a linear gradient and one soft highlight."""
    ys = np.linspace(-0.5, 0.5, h, dtype=np.float32)[:, None]
    xs = np.linspace(-0.5, 0.5, w, dtype=np.float32)[None, :]
    angle = rng.uniform(0, 2 * math.pi)
    field = 1.0 + rng.uniform(0.0, 0.4) * (math.cos(angle) * xs + math.sin(angle) * ys)
    cx, cy = rng.uniform(-0.6, 0.6, size=2)
    spread = rng.uniform(0.25, 0.7)
    spot = np.exp(-((xs - cx) ** 2 + (ys - cy) ** 2) / (2 * spread * spread))
    return field + rng.uniform(-0.08, 0.22) * spot


def metal_surface(rng, h, w, unit):
    """A defect-free canvas [h, w, 3] with a random finish, brightness and tint."""
    texture = TEXTURES[rng.integers(len(TEXTURES))]
    if rng.random() < 0.5:
        plane = texture(rng, h, w, unit)
    else:
        plane = texture(rng, w, h, unit).T
    grey = (rng.uniform(85, 180) + plane) * illumination(rng, h, w)
    tint = 1.0 + rng.uniform(-0.05, 0.05) + np.array([1.0, 0.2, -1.0]) * rng.normal(0, 0.025)
    return grey[:, :, None] * tint.astype(np.float32)[None, None, :]


# ---------------------------------------------------------------- defects

def bezier(rng, h, w, length):
    """Points [n, 2] (x, y) in pixels along a slightly bent stroke that starts inside."""
    start = rng.uniform(0.12, 0.88, size=2) * (w, h)
    towards = np.array([w, h]) * rng.uniform(0.3, 0.7, size=2) - start
    angle = math.atan2(towards[1], towards[0]) + rng.normal(0, 0.7)
    end = start + length * np.array([math.cos(angle), math.sin(angle)])
    bend = rng.normal(0, 0.12) * length * np.array([-math.sin(angle), math.cos(angle)])
    middle = (start + end) / 2 + bend
    t = np.linspace(0, 1, 48)[:, None]
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * middle + t ** 2 * end


def stroke_alpha(h, w, points, width, taper):
    """Anti-aliased stroke [h, w], 0..1; width in pixels, ends narrowed by ``taper``."""
    factor = 2
    image = Image.new("L", (w * factor, h * factor), 0)
    draw = ImageDraw.Draw(image)
    count = len(points)
    for k in range(count - 1):
        edge = min(k, count - 2 - k) / (0.25 * count)
        local = width * factor * (1 - taper * max(0.0, 1 - edge))
        (x0, y0), (x1, y1) = points[k] * factor, points[k + 1] * factor
        draw.line((x0, y0, x1, y1), fill=255, width=max(1, round(local)))
        r = local / 2
        draw.ellipse((x1 - r, y1 - r, x1 + r, y1 + r), fill=255)
    return np.asarray(image.resize((w, h), Image.BOX), dtype=np.float32) / 255.0


def add_scratches(rng, canvas, unit):
    """Draw one to three scratches (groove and burr) on canvas in place; returns mask."""
    h, w, _ = canvas.shape
    mask = np.zeros((h, w), dtype=bool)
    for _ in range(rng.choice((1, 2, 3), p=(0.6, 0.28, 0.12))):
        width = rng.uniform(1.5, 3.2) * unit
        points = bezier(rng, h, w, rng.uniform(28, 100) * unit)
        alpha = stroke_alpha(h, w, points, width, rng.uniform(0.1, 0.6))
        wear = np.clip(1.0 + 0.2 * smooth_noise(rng, h, w, 14 * unit, 14 * unit), 0.6, 1.3)
        groove = blur_plane(alpha, 0.2 * unit) * wear
        sign = 1.0 if rng.random() < 0.5 else -1.0
        burr = np.roll(alpha, (int(round(width * 0.7)),) * 2, axis=(0, 1)) * (1 - alpha)
        depth = rng.uniform(16, 52)
        canvas += (sign * depth * groove - sign * 0.35 * depth * burr)[:, :, None]
        mask |= alpha > 0.5
    return mask


def pit_positions(rng, h, w, count, spread):
    """Pit centres [count, 2] (x, y) in pixels: clustered, kept inside the picture."""
    centre = rng.uniform(0.25, 0.75, size=2) * (w, h)
    points = centre + rng.normal(0, spread, size=(count, 2))
    low, high = np.array([0.06 * w, 0.06 * h]), np.array([0.94 * w, 0.94 * h])
    inside = ((points > low) & (points < high)).all(axis=1)
    return np.where(inside[:, None], points, rng.uniform(low, high, size=(count, 2)))


def add_pits(rng, canvas, unit):
    """Draw corrosion pits (dark hollow, lit far rim) on canvas in place; returns mask."""
    h, w, _ = canvas.shape
    mask = np.zeros((h, w), dtype=bool)
    light = rng.uniform(0, 2 * math.pi)
    count = int(rng.integers(3, 13))
    spread = rng.uniform(0.12, 0.4) * min(h, w)
    depth = rng.uniform(22, 66)
    for x, y in pit_positions(rng, h, w, count, spread):
        radius = rng.uniform(1.7, 4.6) * unit
        reach = int(math.ceil(radius * 2.2))
        x0, x1 = max(0, int(x) - reach), min(w, int(x) + reach + 1)
        y0, y1 = max(0, int(y) - reach), min(h, int(y) + reach + 1)
        dx = (np.arange(x0, x1, dtype=np.float32) - x)[None, :]
        dy = (np.arange(y0, y1, dtype=np.float32) - y)[:, None]
        theta = np.arctan2(dy, dx)
        lobes = 1 + 0.13 * np.sin(2 * theta + rng.uniform(0, 6.3)) \
            + 0.1 * np.sin(3 * theta + rng.uniform(0, 6.3))
        rho = np.sqrt(dx * dx + dy * dy) / (radius * lobes)
        hollow = 1 / (1 + np.exp((rho - 1) * 9))
        rim = np.exp(-((rho - 1.1) / 0.22) ** 2) * np.clip(np.cos(theta - light), 0, 1)
        floor = 1 + 0.25 * np.cos(theta - light) * np.clip(rho, 0, 1)
        canvas[y0:y1, x0:x1] += (depth * (0.6 * rim - hollow * floor))[:, :, None]
        mask[y0:y1, x0:x1] |= rho < 1.0
    return mask


def stain_shape(rng, h, w, unit):
    """Irregular blob field [h, w]: positive inside, 0 at the outline, in radii."""
    cx, cy = rng.uniform(0.22, 0.78, size=2) * (w, h)
    radius = rng.uniform(13, 34) * unit
    stretch, angle = rng.uniform(0.6, 1.0), rng.uniform(0, math.pi)
    dx = (np.arange(w, dtype=np.float32) - cx)[None, :]
    dy = (np.arange(h, dtype=np.float32) - cy)[:, None]
    along = math.cos(angle) * dx + math.sin(angle) * dy
    across = (-math.sin(angle) * dx + math.cos(angle) * dy) / stretch
    field = 1 - np.sqrt(along ** 2 + across ** 2) / radius
    ragged = 0.16 * smooth_noise(rng, h, w, 16 * unit, 16 * unit) \
        + 0.05 * smooth_noise(rng, h, w, 5 * unit, 5 * unit)
    return field + ragged


def add_stains(rng, canvas, unit):
    """Multiply one or two soft stains with a drying edge into canvas; returns mask."""
    h, w, _ = canvas.shape
    mask = np.zeros((h, w), dtype=bool)
    hues = np.array([[0.75, 1.05, 1.45], [1.25, 1.0, 0.75], [1.0, 1.0, 1.0]])
    for _ in range(1 if rng.random() < 0.7 else 2):
        field = stain_shape(rng, h, w, unit)
        softness = rng.uniform(0.03, 0.09)
        alpha = 1 / (1 + np.exp(-np.clip(field / softness, -30, 30)))
        edge = np.exp(-((field - 0.05) / 0.06) ** 2)
        mottle = 1 + 0.12 * smooth_noise(rng, h, w, 9 * unit, 9 * unit)
        strength = rng.uniform(0.09, 0.32)
        cover = strength * (alpha * mottle + rng.uniform(0.1, 0.5) * edge)
        hue = hues[rng.integers(len(hues))]
        canvas *= np.clip(1 - cover[:, :, None] * hue[None, None, :], 0.2, 1.1)
        mask |= alpha > 0.5
    return mask


def add_distractors(rng, canvas, unit):
    """Harmless marks any class may carry: hairlines, dust and faint shading."""
    h, w, _ = canvas.shape
    if rng.random() < 0.35:
        points = bezier(rng, h, w, rng.uniform(15, 60) * unit)
        hair = stroke_alpha(h, w, points, 0.5 * unit, 0.3)
        canvas += (rng.uniform(-14, 14) * hair)[:, :, None]
    for _ in range(rng.integers(0, 7)):
        x, y = int(rng.uniform(0, w - 1)), int(rng.uniform(0, h - 1))
        size = max(1, int(round(0.8 * unit)))
        canvas[y:y + size, x:x + size] += rng.uniform(-25, 25)
    if rng.random() < 0.4:
        cell = rng.uniform(25, 60) * unit
        shade = 1 + rng.uniform(0.01, 0.035) * smooth_noise(rng, h, w, cell, cell)
        canvas *= shade[:, :, None]


DEFECTS = {"scratch": add_scratches, "pit": add_pits, "stain": add_stains}


# ---------------------------------------------------------------- whole images

def add_camera_noise(rng, canvas, unit):
    """Sensor noise (softened a little on large pictures); canvas [h, w, 3] in place."""
    h, w, _ = canvas.shape
    sigma = rng.uniform(0.8, 4.0)
    luma = rng.standard_normal((h, w, 1), dtype=np.float32)
    chroma = rng.standard_normal((h, w, 3), dtype=np.float32)
    canvas += sigma / math.sqrt(max(1.0, unit)) * (0.9 * luma + 0.4 * chroma)


def make_image(seed, stream, index, label):
    """One picture: (uint8 RGB [h, w, 3], bool mask [h, w], JPEG quality 85..95)."""
    rng = np.random.default_rng([seed, stream, index])
    w, h = NATIVE_SIZES[rng.integers(len(NATIVE_SIZES))]
    unit = max(w, h) / MODEL_SIZE
    canvas = metal_surface(rng, h, w, unit).astype(np.float32)
    add_distractors(rng, canvas, unit)
    draw = DEFECTS.get(CLASSES[label])
    mask = draw(rng, canvas, unit) if draw else np.zeros((h, w), dtype=bool)
    add_camera_noise(rng, canvas, unit)
    pixels = np.clip(np.rint(canvas), 0, 255).astype(np.uint8)
    return pixels, mask, int(rng.integers(85, 96))


def encode_jpeg(pixels, quality):
    """JPEG bytes of a uint8 RGB array [h, w, 3]; 4:2:0 chroma."""
    buffer = io.BytesIO()
    Image.fromarray(pixels, mode="RGB").save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


def decode_jpeg(data):
    """uint8 RGB array [h, w, 3] of JPEG bytes."""
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))


def resize_bilinear(planes):
    """float32 [c, h, w] to [c, 128, 128]: half-pixel centres, no antialiasing."""
    from torch.nn import functional  # making pictures alone needs no torch
    size = (MODEL_SIZE, MODEL_SIZE)
    return functional.interpolate(
        planes[None], size=size, mode="bilinear", align_corners=False, antialias=False)[0]


def to_model_input(pixels):
    """uint8 RGB array [h, w, 3] to a uint8 tensor [3, 128, 128]."""
    import torch
    planes = torch.from_numpy(pixels).permute(2, 0, 1).float()
    return resize_bilinear(planes).round().clamp(0, 255).to(torch.uint8)


def make_set(seed, stream, count, progress=None):
    """``count`` images, classes in turn.

    Returns (images uint8 [n, 3, 128, 128], labels int64 [n], masks uint8 [n, 1, 128,
    128] with 1 on defect pixels). Each picture goes through JPEG before the resize.
    """
    import torch
    images = torch.empty(count, 3, MODEL_SIZE, MODEL_SIZE, dtype=torch.uint8)
    masks = torch.empty(count, 1, MODEL_SIZE, MODEL_SIZE, dtype=torch.uint8)
    labels = torch.arange(count) % len(CLASSES)
    for index in range(count):
        pixels, mask, quality = make_image(seed, stream, index, int(labels[index]))
        images[index] = to_model_input(decode_jpeg(encode_jpeg(pixels, quality)))
        planes = torch.from_numpy(mask.astype(np.float32))[None]
        masks[index] = (resize_bilinear(planes) >= 0.5).to(torch.uint8)
        if progress and (index + 1) % 1000 == 0:
            progress(f"  {index + 1}/{count} images")
    return images, labels, masks
