package dev.conveyor.verticles.instance;

import dev.conveyor.models.BytesTensors;
import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.config.Warmup;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** The inputs of warm-up requests, on the heap. Stateless; the same every time. */
final class WarmupData {

  /** Random integers stay below this: they may be indexes into something. */
  private static final int SMALL = 2;

  private WarmupData() {}

  /**
   * Makes one input.
   *
   * @param files what those hold that the configuration names
   * @throws ModelLoadException if its file was not read or has another size
   */
  static Tensor of(TensorSpec spec, Shape shape, Warmup.Input input, Map<String, byte[]> files) {
    return switch (input.data()) {
      case ZERO -> zeros(spec, shape);
      case RANDOM -> random(spec, shape);
      case FILE -> read(spec, shape, input.dataFile(), files.get(input.dataFile()));
    };
  }

  static Tensor zeros(TensorSpec spec, Shape shape) {
    // An empty string is four zero bytes, so zeros fit every type.
    int size = spec.type() == DataType.BYTES ? Integer.BYTES : spec.type().sizeBytes();
    ByteBuffer data = ByteBuffer.allocate(Math.toIntExact(shape.elements() * size));
    return Tensor.of(spec.name(), spec.type(), shape, data);
  }

  /** Fractions from 0 to 1, small integers, words. */
  static Tensor random(TensorSpec spec, Shape shape) {
    Random random = new Random(0);
    int elements = Math.toIntExact(shape.elements());
    int size = spec.type() == DataType.BYTES ? Integer.BYTES + 1 : spec.type().sizeBytes();
    ByteBuffer data =
        ByteBuffer.allocate(Math.multiplyExact(elements, size)).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < elements; i++) {
      put(data, spec.type(), random);
    }
    return Tensor.of(spec.name(), spec.type(), shape, data.flip());
  }

  private static void put(ByteBuffer data, DataType type, Random random) {
    switch (type) {
      case BOOL, UINT8, INT8 -> data.put((byte) random.nextInt(SMALL));
      case UINT16, INT16 -> data.putShort((short) random.nextInt(SMALL));
      case UINT32, INT32 -> data.putInt(random.nextInt(SMALL));
      case UINT64, INT64 -> data.putLong(random.nextInt(SMALL));
      // Exponents below that of 1, any fraction.
      case FP16 -> data.putShort((short) random.nextInt(0x3c00));
      case BF16 -> data.putShort((short) (Float.floatToRawIntBits(random.nextFloat()) >>> 16));
      case FP32 -> data.putFloat(random.nextFloat());
      case FP64 -> data.putDouble(random.nextDouble());
      case BYTES -> data.putInt(1).put((byte) ('a' + random.nextInt(26)));
    }
  }

  private static Tensor read(TensorSpec spec, Shape shape, String name, byte @Nullable [] bytes) {
    if (bytes == null) {
      throw new ModelLoadException("input_data_file '" + name + "' was not found");
    }
    Tensor tensor = Tensor.of(spec.name(), spec.type(), shape, ByteBuffer.wrap(bytes));
    if (spec.type() == DataType.BYTES) {
      try {
        int unused = BytesTensors.count(tensor);
      } catch (InferenceException e) {
        throw new ModelLoadException("input_data_file '" + name + "': " + e.getMessage());
      }
    } else if (bytes.length != shape.elements() * spec.type().sizeBytes()) {
      throw new ModelLoadException(
          "input_data_file '%s' has %d bytes, input '%s' of shape %s needs %d"
              .formatted(
                  name,
                  bytes.length,
                  spec.name(),
                  shape,
                  shape.elements() * spec.type().sizeBytes()));
    }
    return tensor;
  }
}
