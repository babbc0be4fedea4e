package dev.conveyor.verticles;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.ModelSignature;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.verticles.metrics.RecordingModelStats;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class OverloadWatchTest {

  private final RecordingModelStats stats = new RecordingModelStats();
  private final ModelCatalog catalog = new ModelCatalog();
  private final List<String> events = new ArrayList<>();
  private final OverloadWatch watch =
      new OverloadWatch(
          catalog,
          new OverloadWatch.Listener() {
            @Override
            public void onOverload(ServedModel model, Map<RefusalReason, Long> refused) {
              events.add(model.name() + " " + refused);
            }

            @Override
            public void onOverloadEnded(ServedModel model, Map<RefusalReason, Long> refused) {
              events.add(model.name() + " ended " + refused);
            }
          });

  @Test
  void shouldTellOnceThatAnOverloadBeginsAndOnceThatItHasEnded() {
    ModelSignature none = new ModelSignature(List.of(), List.of(), 0);
    catalog.publish(
        "m",
        List.of(
            new ServedModel(
                "m",
                "1",
                "1@1",
                "onnxruntime_onnx",
                ModelConfig.empty("m"),
                none,
                List.of(),
                Map.of(),
                new InputCheck("m", List.of(), List.of(), 0),
                ImageInputs.NONE,
                stats)));
    watch.look();
    assertThat(events).isEmpty();

    stats.onRefused(RefusalReason.DEADLINE);
    stats.onRefused(RefusalReason.DEADLINE);
    watch.look();
    stats.onRefused(RefusalReason.QUEUE_FULL);
    watch.look();
    assertThat(events).containsExactly("m {DEADLINE=2}");
    for (int i = 0; i < 4; i++) {
      watch.look();
    }
    assertThat(events).as("it may flare up again").hasSize(1);
    stats.onRefused(RefusalReason.QUEUE_FULL);
    watch.look();
    for (int i = 0; i < 5; i++) {
      assertThat(events).hasSize(1);
      watch.look();
    }
    assertThat(events).containsExactly("m {DEADLINE=2}", "m ended {QUEUE_FULL=2, DEADLINE=2}");
    watch.look();
    stats.onRefused(RefusalReason.TENANT_QUOTA);
    watch.look();
    assertThat(events).last().isEqualTo("m {TENANT_QUOTA=1}");
  }
}
