package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.device.sim.SimulatedModel;
import dev.conveyor.models.device.sim.SimulatedRequest;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Pinned memory for outputs, of a model with large ones. */
class OutputMemoryTest extends GpuCase {

  /** Outputs of 16 KiB per item, and 512 KiB of the largest batch of a configuration without. */
  private static final SimulatedModel MODEL = new SimulatedModel(16, 4096, 32, 3, 1_000);

  private static final long ITEM_BYTES = Integer.BYTES * (long) MODEL.outWords();

  private GpuModel load(long pinnedBytes) {
    begin("real_time=1 copy_ns=1000", pinnedBytes);
    return load(new TestModel(MODEL));
  }

  @Test
  void shouldTakeAsMuchAsThereAreItemsAndNotAsTheLargestBatchHas() {
    GpuModel model = load(32 * ITEM_BYTES);
    List<Tensor> kept = new ArrayList<>();
    try (ModelExecutor executor = model.newExecutor(MODEL.maxBatchSize())) {
      for (int i = 0; i < 16; i++) {
        List<SimulatedRequest> batch =
            List.of(
                SimulatedRequest.onHeap(MODEL, 1, random),
                SimulatedRequest.onHeap(MODEL, 1, random));
        List<List<Tensor>> outputs = executor.execute(batch).outputs();
        for (int r = 0; r < batch.size(); r++) {
          assertThat(batch.get(r).isAnsweredBy(outputs.get(r))).isTrue();
          kept.addAll(outputs.get(r));
        }
      }
      assertThat(pinned.leasedBytes()).isEqualTo(32 * ITEM_BYTES);
    }
    kept.forEach(Tensor::close);
    model.close();
    assertNothingLeft();
  }

  @Test
  void shouldNotLoadWhatCouldNeverAnswerItsLargestBatch() {
    assertThatThrownBy(() -> load(31 * ITEM_BYTES))
        .isInstanceOf(ModelLoadException.class)
        .hasMessageContaining("a batch of 32 has 524288 bytes of outputs")
        .hasMessageContaining("max_batch_size");

    assertNothingLeft();
  }

  @Test
  void shouldCloseAnInstanceThatNobodyWants() {
    GpuModel model = load(32 * ITEM_BYTES);
    assertThat(device.reservedBytes()).as("its slabs").isPositive();

    model.newExecutor(4).close();
    model.close();

    load(new TestModel(MODEL)).close();
    assertNothingLeft();
  }
}
