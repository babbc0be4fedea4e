package dev.conveyor.verticles.bench.load;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import io.vertx.core.buffer.Buffer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.stream.Stream;

/** Makes the contents of requests. Stateless. */
public final class Payloads {

  private static final int RANDOM_VARIANTS = 4;

  private Payloads() {}

  /** What synthetic tensors hold. */
  public enum Fill {
    ZEROS,
    /** Seeded: floating point in [0,1), integers in 0..9, strings of one digit. */
    RANDOM
  }

  /**
   * Makes requests with synthetic tensors.
   *
   * @param batch takes the place of a dynamic first dimension; other dynamic dimensions become 1
   */
  public static List<InferPayload> synthetic(
      String model, List<TensorSpec> inputs, List<String> outputs, int batch, Fill fill) {
    SplittableRandom random = new SplittableRandom(42);
    List<InferPayload> payloads = new ArrayList<>();
    for (int variant = 0; variant < (fill == Fill.ZEROS ? 1 : RANDOM_VARIANTS); variant++) {
      List<RequestTensor> tensors = new ArrayList<>();
      for (TensorSpec input : inputs) {
        Shape shape = resolve(input.shape(), batch);
        Buffer data = data(input.type(), Math.toIntExact(shape.elements()), fill, random);
        tensors.add(new RequestTensor(input.name(), input.type(), shape, data));
      }
      payloads.add(new InferPayload(model, tensors, outputs, items(inputs, batch)));
    }
    return payloads;
  }

  /**
   * Makes requests that carry encoded images, each image in turn, for a model with one input.
   *
   * @throws IllegalArgumentException if the model does not take one input of type BYTES
   */
  public static List<InferPayload> images(
      String model, List<TensorSpec> inputs, List<String> outputs, int batch, List<Buffer> images) {
    if (inputs.size() != 1 || inputs.get(0).type() != DataType.BYTES) {
      throw new IllegalArgumentException(
          "model %s does not take images: it has inputs %s, expected one of type BYTES"
              .formatted(model, inputs));
    }
    TensorSpec input = inputs.get(0);
    Shape shape = resolve(input.shape(), batch);
    int perRequest = Math.toIntExact(shape.elements());
    List<InferPayload> payloads = new ArrayList<>();
    for (int first = 0; first < images.size(); first++) {
      Buffer data = Buffer.buffer();
      for (int i = 0; i < perRequest; i++) {
        Buffer image = images.get((first + i) % images.size());
        data.appendIntLE(image.length()).appendBuffer(image);
      }
      RequestTensor tensor = new RequestTensor(input.name(), DataType.BYTES, shape, data);
      payloads.add(new InferPayload(model, List.of(tensor), outputs, items(inputs, batch)));
    }
    return payloads;
  }

  /**
   * Reads the JPEG and PNG files of a directory, in the order of their names.
   *
   * @throws IllegalArgumentException if there are none
   */
  public static List<Buffer> readImages(Path directory) throws IOException {
    List<Path> files;
    try (Stream<Path> entries = Files.list(directory)) {
      files = entries.filter(Payloads::isImage).sorted().toList();
    }
    if (files.isEmpty()) {
      throw new IllegalArgumentException("no .jpg, .jpeg or .png file in " + directory);
    }
    List<Buffer> images = new ArrayList<>();
    for (Path file : files) {
      images.add(Buffer.buffer(Files.readAllBytes(file)));
    }
    return images;
  }

  /** Returns the shape of a request with {@code batch} items. */
  public static Shape resolve(Shape declared, int batch) {
    long[] dims = declared.toArray();
    for (int i = 0; i < dims.length; i++) {
      if (dims[i] == Shape.DYNAMIC) {
        dims[i] = i == 0 ? batch : 1;
      }
    }
    return Shape.of(dims);
  }

  private static int items(List<TensorSpec> inputs, int batch) {
    boolean batches =
        inputs.stream()
            .map(TensorSpec::shape)
            .anyMatch(shape -> shape.rank() > 0 && shape.dim(0) == Shape.DYNAMIC);
    return batches ? batch : 1;
  }

  private static boolean isImage(Path file) {
    String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
    return name.endsWith(".jpg") || name.endsWith(".jpeg") || name.endsWith(".png");
  }

  private static Buffer data(DataType type, int elements, Fill fill, SplittableRandom random) {
    if (fill == Fill.ZEROS) {
      int elementBytes = type == DataType.BYTES ? Integer.BYTES : type.sizeBytes();
      return Buffer.buffer(new byte[Math.multiplyExact(elements, elementBytes)]);
    }
    Buffer data = Buffer.buffer();
    for (int i = 0; i < elements; i++) {
      append(data, type, random);
    }
    return data;
  }

  private static void append(Buffer data, DataType type, SplittableRandom random) {
    int digit = random.nextInt(10);
    float fraction = random.nextInt(1 << 24) * 0x1p-24f;
    switch (type) {
      case BOOL -> data.appendByte((byte) (digit & 1));
      case UINT8, INT8 -> data.appendByte((byte) digit);
      case UINT16, INT16 -> data.appendShortLE((short) digit);
      case UINT32, INT32 -> data.appendIntLE(digit);
      case UINT64, INT64 -> data.appendLongLE(digit);
      // In [1,2): Java 17 has no conversion to half precision.
      case FP16 -> data.appendShortLE((short) (0x3C00 | random.nextInt(1 << 10)));
      case BF16 -> data.appendShortLE((short) (Float.floatToRawIntBits(fraction) >>> 16));
      case FP32 -> data.appendFloatLE(fraction);
      case FP64 -> data.appendDoubleLE(fraction);
      case BYTES -> data.appendIntLE(1).appendByte((byte) ('0' + digit));
    }
  }
}
