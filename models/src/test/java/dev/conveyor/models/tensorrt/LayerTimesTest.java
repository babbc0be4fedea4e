package dev.conveyor.models.tensorrt;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.tensorrt.LayerTimes.Layer;
import org.junit.jupiter.api.Test;

class LayerTimesTest {

  @Test
  void shouldSumLayersSlowestFirst() {
    LayerTimes times = new LayerTimes();
    times.add("conv1", 1);
    times.add("conv2", 2);
    times.add("conv1", 4);

    assertThat(times.slowestFirst())
        .containsExactly(new Layer("conv1", 2, 5), new Layer("conv2", 1, 2));
    assertThat(times.slowestFirst().get(0).meanMs()).isEqualTo(2.5);
  }
}
