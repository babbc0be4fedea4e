package dev.conveyor.models.optimize.data;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.optimize.OptimizeException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * An array in NumPy's file format (numpy.lib.format, versions 1 to 3): C order, little-endian.
 *
 * @param data the elements, not copied: the file is mapped
 */
record NpyFile(Path file, DataType type, Shape shape, ByteBuffer data) {

  private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y'};
  private static final Pattern HEADER =
      Pattern.compile(
          "'descr':\\s*'([^']*)'.*'fortran_order':\\s*(True|False).*'shape':\\s*\\(([^)]*)\\)");
  private static final Map<String, DataType> TYPES =
      Map.of(
          "<f4", DataType.FP32,
          "<f8", DataType.FP64,
          "<f2", DataType.FP16,
          "<i8", DataType.INT64,
          "<i4", DataType.INT32,
          "|i1", DataType.INT8,
          "|u1", DataType.UINT8,
          "|b1", DataType.BOOL);

  static NpyFile open(Path file) {
    try (FileChannel channel = FileChannel.open(file)) {
      if (channel.size() > Integer.MAX_VALUE) {
        throw new OptimizeException(file + ": over 2 GB; split it");
      }
      return parse(
          file,
          channel
              .map(FileChannel.MapMode.READ_ONLY, 0, channel.size())
              .order(ByteOrder.LITTLE_ENDIAN));
    } catch (IOException e) {
      throw new OptimizeException(file + ": cannot be read: " + e, e);
    }
  }

  /** Returns item {@code index} along the first dimension, as a batch of one. */
  Tensor item(String name, int index) {
    Shape one = shape.withFirst(1);
    int bytes = Math.toIntExact(one.elements() * type.sizeBytes());
    return Tensor.of(name, type, one, data.slice(index * bytes, bytes));
  }

  private static NpyFile parse(Path file, ByteBuffer bytes) {
    byte[] magic = new byte[MAGIC.length];
    if (bytes.remaining() < 12 || !Arrays.equals(MAGIC, head(bytes, magic))) {
      throw new OptimizeException(file + ": not a .npy file");
    }
    int major = bytes.get();
    bytes.get();
    int length = major == 1 ? bytes.getShort() & 0xffff : bytes.getInt();
    if (length < 0 || length > bytes.remaining()) {
      throw new OptimizeException(file + ": not a .npy file: its header is cut off");
    }
    byte[] text = new byte[length];
    bytes.get(text);
    Matcher header = HEADER.matcher(new String(text, StandardCharsets.UTF_8));
    if (!header.find()) {
      throw new OptimizeException(file + ": not a .npy file: its header cannot be read");
    }
    DataType type = TYPES.get(header.group(1));
    if (type == null || header.group(2).equals("True")) {
      throw new OptimizeException(
          "%s: elements of type '%s', Fortran order %s; expected C order and one of %s"
              .formatted(file, header.group(1), header.group(2), TYPES.keySet()));
    }
    long[] dims =
        Arrays.stream(header.group(3).split(","))
            .map(String::strip)
            .filter(d -> !d.isEmpty())
            .mapToLong(Long::parseLong)
            .toArray();
    Shape shape = Shape.of(dims);
    ByteBuffer data = bytes.slice();
    if (data.remaining() != shape.elements() * type.sizeBytes()) {
      throw new OptimizeException(
          "%s: %d bytes of data, shape %s needs %d"
              .formatted(file, data.remaining(), shape, shape.elements() * type.sizeBytes()));
    }
    return new NpyFile(file, type, shape, data);
  }

  private static byte[] head(ByteBuffer bytes, byte[] into) {
    bytes.get(into);
    return into;
  }
}
