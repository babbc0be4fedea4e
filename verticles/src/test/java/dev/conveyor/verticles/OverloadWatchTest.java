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
    catalog.publish("m", List.of(served("1", "1@1", stats)));
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

  @Test
  void shouldTellNothingNewWhenAModelIsEvictedOrLoadedAnew() {
    stats.onRefused(RefusalReason.QUEUE_FULL);
    ServedModel loaded = served("1", "1@1", stats);
    catalog.publish("m", List.of(loaded));
    watch.look();
    assertThat(events).as("that was before anybody looked").isEmpty();
    stats.onRefused(RefusalReason.QUEUE_FULL);
    watch.look();
    assertThat(events).containsExactly("m {QUEUE_FULL=1}");

    catalog.publish("m", List.of(loaded.cold()));
    watch.look();
    catalog.publish("m", List.of(served("1", "1@2", stats)));
    watch.look();
    assertThat(events).hasSize(1);
    for (int i = 0; i < 3; i++) {
      watch.look();
    }
    assertThat(events).containsExactly("m {QUEUE_FULL=1}", "m ended {QUEUE_FULL=1}");
  }

  @Test
  void shouldTellOfRefusalsThatAreFewerThanThoseBeforeALoadThatCountsAnew() {
    stats.onRefused(RefusalReason.DEADLINE);
    stats.onRefused(RefusalReason.DEADLINE);
    catalog.publish("m", List.of(served("1", "1@1", stats)));
    watch.look();
    RecordingModelStats anew = new RecordingModelStats();
    catalog.publish("m", List.of(served("1", "1@2", anew)));
    anew.onRefused(RefusalReason.DEADLINE);

    watch.look();

    assertThat(events).containsExactly("m {DEADLINE=1}");
  }

  @Test
  void shouldTellVersionsApartThatAreNotInMemory() {
    RecordingModelStats other = new RecordingModelStats();
    catalog.publish(
        "m", List.of(served("1", "1@1", stats).cold(), served("2", "2@1", other).cold()));
    watch.look();
    other.onRefused(RefusalReason.DEADLINE);
    watch.look();
    for (int i = 0; i < 5; i++) {
      watch.look();
    }
    assertThat(events).containsExactly("m {DEADLINE=1}", "m ended {DEADLINE=1}");
  }

  private static ServedModel served(String version, String deployed, RecordingModelStats counts) {
    return new ServedModel(
        "m",
        version,
        deployed,
        "onnxruntime_onnx",
        ModelConfig.empty("m"),
        new ModelSignature(List.of(), List.of(), 0),
        List.of(),
        Map.of(),
        new InputCheck("m", List.of(), List.of(), 0),
        ImageInputs.NONE,
        counts);
  }
}
