package dev.conveyor.verticles.bench.load;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import java.util.Arrays;

/** Reads inputs as given on the command line. Stateless. */
public final class InputSpecs {

  private InputSpecs() {}

  /**
   * Parses {@code name:TYPE:dims}, for example {@code INPUT0:FP32:1x16}; -1 stands for the batch.
   *
   * @throws IllegalArgumentException if it is not of this form; the message says what is wrong
   */
  public static TensorSpec parse(String text) {
    // From the right: names may contain colons ("input:0").
    int dimsAt = text.lastIndexOf(':');
    int typeAt = dimsAt < 0 ? -1 : text.lastIndexOf(':', dimsAt - 1);
    if (typeAt <= 0) {
      throw new IllegalArgumentException(
          "\"%s\" is not of the form name:TYPE:dims, for example INPUT0:FP32:1x16".formatted(text));
    }
    String type = text.substring(typeAt + 1, dimsAt);
    String dims = text.substring(dimsAt + 1);
    try {
      return new TensorSpec(
          text.substring(0, typeAt),
          DataType.find(type)
              .orElseThrow(() -> new IllegalArgumentException("unknown data type " + type)),
          Shape.of(
              dims.isEmpty()
                  ? new long[0]
                  : Arrays.stream(dims.split("[x,]", -1)).mapToLong(Long::parseLong).toArray()));
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          "\"%s\": dims are whole numbers with x between them, for example 1x3x224x224"
              .formatted(text),
          e);
    }
  }
}
