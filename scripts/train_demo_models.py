"""The two demonstration networks and how they are exported to ONNX.

Both take ``image`` float32 [batch, 3, 128, 128]: RGB, (pixel - 127.5) / 63.75 with
pixel in 0..255. They use only plain convolutions, ReLU, pooling, addition, nearest
upsampling and one fully connected layer, with channel counts in multiples of 16.
"""

import warnings

import onnx
import torch
from torch import nn

MEAN = 127.5
SCALE = 1.0 / 63.75
OPSET = 13
MAX_BYTES = 2_000_000


def normalise(images):
    """uint8 or float pixels 0..255 to the float32 values the networks take."""
    return (images.float() - MEAN) * SCALE


def conv(inputs, outputs, stride=1, kernel=3):
    """Convolution, batch normalisation (folded on export) and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class Residual(nn.Module):
    """Two 3x3 convolutions with a shortcut; shape unchanged."""

    def __init__(self, channels):
        super().__init__()
        self.first = conv(channels, channels)
        self.second = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.second(self.first(x)) + x)


class SurfaceClassifier(nn.Module):
    """[n, 3, 128, 128] to class logits [n, classes]; softmax is added on export."""

    def __init__(self, classes):
        super().__init__()
        self.features = nn.Sequential(
            conv(3, 16, stride=2, kernel=5),   # 64 x 64
            conv(16, 32, stride=2),            # 32 x 32
            Residual(32),
            conv(32, 64, stride=2),            # 16 x 16
            Residual(64),
            conv(64, 96, stride=2),            # 8 x 8
            conv(96, 96),
            conv(96, 112, stride=1))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(112, classes)

    def forward(self, x):
        return self.head(self.pool(self.features(x)).flatten(1))


class SurfaceSegmenter(nn.Module):
    """[n, 3, 128, 128] to defect logits [n, 1, 128, 128]; sigmoid is added on export."""

    def __init__(self):
        super().__init__()
        self.down1 = conv(3, 16, stride=2, kernel=5)                        # 64 x 64
        self.down2 = nn.Sequential(conv(16, 32, stride=2), conv(32, 32))    # 32 x 32
        self.down3 = nn.Sequential(conv(32, 64, stride=2), conv(64, 64))    # 16 x 16
        self.down4 = nn.Sequential(conv(64, 96, stride=2), conv(96, 96))    # 8 x 8
        self.up3 = conv(96 + 64, 64)
        self.up2 = conv(64 + 32, 32)
        self.up1 = conv(32 + 16, 16)
        self.up0 = conv(16, 16)
        self.head = nn.Conv2d(16, 1, 1)
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, x):
        a = self.down1(x)
        b = self.down2(a)
        c = self.down3(b)
        d = self.down4(c)
        c = self.up3(torch.cat((self.upsample(d), c), dim=1))
        b = self.up2(torch.cat((self.upsample(c), b), dim=1))
        a = self.up1(torch.cat((self.upsample(b), a), dim=1))
        return self.head(self.up0(self.upsample(a)))


def with_output(network, output):
    """The network followed by the activation that makes its output a probability."""
    last = nn.Softmax(dim=1) if output == "probabilities" else nn.Sigmoid()
    return nn.Sequential(network, last).eval()


def export(network, output, path):
    """Writes the network as ONNX, checks the file and returns its size in bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shape inference of constants; checked below
        torch.onnx.export(
            with_output(network, output), torch.zeros(1, 3, 128, 128), str(path),
            opset_version=OPSET, input_names=["image"], output_names=[output],
            dynamic_axes={"image": {0: "batch"}, output: {0: "batch"}})
    model = onnx.load(str(path))
    name_batch_axis(model)
    onnx.checker.check_model(model, full_check=True)
    if any(node.op_type == "BatchNormalization" for node in model.graph.node):
        raise RuntimeError(f"{path}: batch normalisation was not folded")
    onnx.save(model, str(path))
    size = path.stat().st_size
    if size >= MAX_BYTES:
        raise RuntimeError(f"{path}: {size} bytes, more than {MAX_BYTES}")
    return size


def name_batch_axis(model):
    """Gives every input and output the shape [batch, ...] with all else fixed."""
    for value in list(model.graph.input) + list(model.graph.output):
        dims = value.type.tensor_type.shape.dim
        dims[0].dim_param = "batch"
        if any(not dim.HasField("dim_value") for dim in dims[1:]):
            raise RuntimeError(f"{value.name}: only the batch axis may be dynamic")
