package dev.conveyor.verticles.oip;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.metrics.RecordingModelStats;
import dev.conveyor.verticles.metrics.Samples;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Whatever is remembered, the answer is what the plain writer would have written. */
class AnswerHeadsTest {

  private static final Map<String, InferHead.Output> ALL = Map.of();
  private static final Map<String, InferHead.Output> SECOND =
      Map.of("B", new InferHead.Output(true, 0));
  private static final Map<String, InferHead.Output> AS_JSON =
      Map.of("A", new InferHead.Output(false, 0));
  private static final Map<String, InferHead.Output> CLASSES =
      Map.of("A", new InferHead.Output(true, 1));

  private final ServedModel model = Samples.model("m", "1", new RecordingModelStats());
  private final AnswerHeads heads = new AnswerHeads();

  @Test
  void shouldWriteTheSameAsWithoutAMemory() {
    for (int round = 0; round < 3; round++) {
      for (int items = 1; items <= 3; items++) {
        verify(question(null, ALL, true), answer("m", "1", items));
        verify(question(null, SECOND, true), answer("m", "1", items));
        verify(question(null, ALL, true), answer("m", "2", items));
        verify(question(null, ALL, true), answer("other", "1", items));
        verify(question("id-" + round, ALL, true), answer("m", "1", items));
        verify(question(null, ALL, false), answer("m", "1", items));
        verify(question(null, AS_JSON, true), answer("m", "1", items));
        verify(question(null, CLASSES, true), answer("m", "1", 1));
      }
    }
  }

  private void verify(InferHead question, InferenceResponse answer) {
    InferResponseWriter.Encoded plain = InferResponseWriter.encode(model, question, answer);
    InferResponseWriter.Encoded remembered = heads.encode(model, question, answer);

    assertThat(remembered.head()).isEqualTo(plain.head());
    assertThat(remembered.binary()).isEqualTo(plain.binary());
  }

  private static InferHead question(
      @Nullable String id, Map<String, InferHead.Output> outputs, boolean binary) {
    return new InferHead(null, null, id, List.of(), outputs, binary, Map.of());
  }

  private static InferenceResponse answer(String model, String version, int items) {
    return new InferenceResponse(
        model, version, List.of(tensor("A", items, 2, items), tensor("B", items, 1, 7)));
  }

  private static Tensor tensor(String name, int items, int width, int value) {
    ByteBuffer data = ByteBuffer.allocate(items * width * Integer.BYTES);
    data.put(0, (byte) value);
    return Tensor.of(name, DataType.INT32, Shape.of(items, width), data);
  }
}
