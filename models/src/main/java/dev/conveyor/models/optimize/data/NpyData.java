package dev.conveyor.models.optimize.data;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.optimize.OptimizeException;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Tensors from {@code .npy} files: one per input, named like it, items along the first dimension;
 * classes, if known, in {@code labels.npy}.
 */
final class NpyData implements DataSet {

  private static final String LABELS = "labels.npy";

  private final List<String> names;
  private final List<NpyFile> files;
  private final @Nullable NpyFile labels;
  private final int size;

  private NpyData(List<String> names, List<NpyFile> files, @Nullable NpyFile labels, int size) {
    this.names = names;
    this.files = files;
    this.labels = labels;
    this.size = size;
  }

  static NpyData open(Path directory, List<TensorSpec> inputs) {
    List<NpyFile> files = new ArrayList<>();
    for (TensorSpec input : inputs) {
      Path path = directory.resolve(input.name().replace('/', '_') + ".npy");
      if (!Files.exists(path)) {
        throw new OptimizeException(
            "%s: no such file; it should hold the data of input '%s', %s %s"
                .formatted(path, input.name(), input.type(), input.shape()));
      }
      NpyFile file = NpyFile.open(path);
      if (file.type() != input.type()
          || file.shape().rank() == 0
          || !input.shape().accepts(file.shape().withFirst(1))) {
        throw new OptimizeException(
            "%s: holds %s %s, input '%s' takes %s %s"
                .formatted(
                    path, file.type(), file.shape(), input.name(), input.type(), input.shape()));
      }
      files.add(file);
    }
    int size = size(files);
    Path labels = directory.resolve(LABELS);
    NpyFile known = Files.exists(labels) ? NpyFile.open(labels) : null;
    if (known != null
        && (known.shape().elements() != size
            || (known.type() != DataType.INT64 && known.type() != DataType.INT32))) {
      throw new OptimizeException(
          "%s: holds %s %s, %d integers were expected"
              .formatted(labels, known.type(), known.shape(), size));
    }
    return new NpyData(inputs.stream().map(TensorSpec::name).toList(), files, known, size);
  }

  private static int size(List<NpyFile> files) {
    long size = files.get(0).shape().dim(0);
    for (NpyFile file : files) {
      if (file.shape().dim(0) != size || size == 0) {
        throw new OptimizeException(
            "%s: holds %d items; at least 1, and as many as %s, are expected"
                .formatted(file.file(), file.shape().dim(0), files.get(0).file()));
      }
    }
    return Math.toIntExact(size);
  }

  @Override
  public int size() {
    return size;
  }

  @Override
  public Sample sample(int index) {
    List<Tensor> inputs = new ArrayList<>();
    for (int i = 0; i < files.size(); i++) {
      inputs.add(files.get(i).item(names.get(i), index));
    }
    String name = "%s[%d]".formatted(files.get(0).file(), index);
    return new Sample(name, inputs, labels == null ? Truth.NONE : truth(labels, index));
  }

  private static Truth truth(NpyFile labels, int index) {
    var data = labels.data().duplicate().order(ByteOrder.LITTLE_ENDIAN);
    long label = labels.type() == DataType.INT64 ? data.getLong(index * 8) : data.getInt(index * 4);
    return new Truth(Math.toIntExact(label), null, null);
  }
}
