package dev.conveyor.verticles.page;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.cpu.CpuFigures;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.scheduler.ModelProfile;
import dev.conveyor.scheduler.profile.CostProfile;
import dev.conveyor.verticles.ModelCatalog;
import dev.conveyor.verticles.RepositoryControl;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.metrics.RecordingModelStats;
import dev.conveyor.verticles.metrics.Samples;
import dev.conveyor.verticles.metrics.SystemSnapshot;
import dev.conveyor.verticles.server.ListedModels;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

final class LiveFiguresTest {

  private final ModelCatalog catalog = new ModelCatalog();
  private final List<RepositoryControl.Entry> index = new ArrayList<>();
  private final RecordingModelStats stats = new RecordingModelStats();
  private SystemSnapshot system = SystemSnapshot.EMPTY;
  private long nowNs = 5;
  private Map<String, ModelProfile> profiles = Map.of();

  private final LiveFigures figures =
      new LiveFigures(
          "0.1", catalog, new ListedModels(index), () -> system, () -> profiles, () -> nowNs);

  @Test
  void shouldShowFiguresOfServedModels() {
    catalog.publish("m", List.of(Samples.model("m", "1", stats)));
    system = Samples.system("m", 7);
    figures.sample();
    stats.onSuccess(50, 0, 0, 2_000_000);
    nowNs += 2_000_000_000L;

    JsonObject model = figures.sample().getJsonArray("models").getJsonObject(0);
    assertThat(model.getString("state")).isEqualTo("READY");
    assertThat(model.getDouble("perSecond")).isEqualTo(25);
    assertThat(model.getInteger("queued")).isEqualTo(7);
    assertThat(model.getDouble("p50Ms")).isBetween(1.5, 2.0);
    assertThat(model.getValue("meanBatch")).isNull();
    assertThat(model.getJsonArray("instances")).hasSize(2);
  }

  @Test
  void shouldShowThePartInsideTheObjectiveOfModelsThatHaveOne() {
    ServedModel promising = Samples.promising("m", 1_500, stats);
    RecordingModelStats others = new RecordingModelStats();
    ServedModel other = Samples.model("other", "1", others);
    catalog.publish("m", List.of(promising));
    catalog.publish("other", List.of(other));
    figures.sample();
    for (int i = 0; i < 1_999; i++) {
      promising.countAnswer(1, 0, 0, 1_500_000);
    }
    promising.countAnswer(1, 0, 0, 1_500_001);
    others.onRefused(RefusalReason.QUEUE_FULL);
    nowNs += 1_000_000_000L;

    JsonArray models = figures.sample().getJsonArray("models");
    assertThat(models.getJsonObject(0).getDouble("objectiveMs")).isEqualTo(1.5);
    assertThat(models.getJsonObject(0).getDouble("inObjective")).isEqualTo(0.999);
    assertThat(models.getJsonObject(1).containsKey("inObjective")).isFalse();
  }

  @Test
  void shouldShowModelsThatAreNotReadyWithTheReason() {
    index.add(new RepositoryControl.Entry("broken", "2", "UNAVAILABLE", "no such operator"));
    index.add(new RepositoryControl.Entry("m", "1", "READY", ""));
    catalog.publish("m", List.of(Samples.model("m", "1", stats)));

    JsonArray models = figures.sample().getJsonArray("models");
    assertThat(models).hasSize(2);
    assertThat(models.getJsonObject(0).getString("reason")).isEqualTo("no such operator");
    assertThat(models.getJsonObject(1).getString("state")).isEqualTo("READY");
  }

  @Test
  void shouldShowWhatBatchesCostBySize() {
    ServedModel served = Samples.model("m", "1", stats);
    catalog.publish("m", List.of(served));
    CostProfile costs = new CostProfile();
    costs.seed(1, 2_000_000);
    costs.seed(4, 5_000_000);
    assertThat(figures.sample().getJsonArray("costs")).isEmpty();
    profiles =
        Map.of(
            served.key(),
            new ModelProfile(
                served.key(),
                List.of(
                    new ModelProfile.OnDevice(
                        "CPU",
                        ModelProfile.Seed.STORED,
                        costs.snapshot(),
                        ModelProfile.Occupancy.UNKNOWN,
                        Optional.empty()))));

    JsonObject shown = figures.sample().getJsonArray("costs").getJsonObject(0);
    assertThat(shown.getString("name")).isEqualTo("m");
    assertThat(shown.getString("device")).isEqualTo("CPU");
    assertThat(shown.getInteger("batches")).isZero();
    assertThat(shown.getJsonArray("sizes"))
        .containsExactly(
            new JsonObject()
                .put("items", 1)
                .put("samples", 1)
                .put("measuredMs", 2.0)
                .put("predictedMs", 2.0)
                .put("p99Ms", 2.0),
            new JsonObject()
                .put("items", 4)
                .put("samples", 1)
                .put("measuredMs", 5.0)
                .put("predictedMs", 5.0)
                .put("p99Ms", 5.0));
  }

  @Test
  void shouldOrderVersionsAsNumbers() {
    catalog.publish(
        "m",
        List.of(
            Samples.model("m", "10", stats), Samples.model("m", "9", new RecordingModelStats())));
    JsonArray models = figures.sample().getJsonArray("models");
    assertThat(models.getJsonObject(0).getString("version")).isEqualTo("9");
    assertThat(models.getJsonObject(1).getString("version")).isEqualTo("10");
  }

  @Test
  void shouldStartOverWhenAModelWasReloaded() {
    catalog.publish("m", List.of(Samples.model("m", "1", stats)));
    figures.sample();
    stats.onSuccess(1, 0, 0, 1);
    nowNs += 1_000_000_000L;
    figures.sample();
    assertThat(rates()).hasSize(1);

    catalog.publish("m", List.of(Samples.model("m", "1", new RecordingModelStats())));
    nowNs += 1_000_000_000L;
    figures.sample();
    assertThat(rates()).isEmpty();
  }

  @Test
  void shouldForgetModelsThatAreGone() {
    catalog.publish("m", List.of(Samples.model("m", "1", stats)));
    figures.sample();
    catalog.withdraw("m", "unloaded");
    assertThat(figures.sample().getJsonArray("models")).isEmpty();
    assertThat(figures.history().getJsonArray("models")).isEmpty();
  }

  @Test
  void shouldShowDevicesWithTheBiggestHolderFirst() {
    system = Samples.system("m", 0);
    nowNs += 61_000_000_000L;
    JsonObject sample = figures.sample();
    JsonObject device = sample.getJsonArray("devices").getJsonObject(0);
    assertThat(device.getDouble("busyFraction")).isEqualTo(0.75);
    assertThat(device.getJsonArray("holders").getJsonObject(0).getString("owner"))
        .isEqualTo("a/weights");
    assertThat(sample.getJsonObject("server").getLong("uptimeSeconds")).isEqualTo(61);
  }

  @Test
  void shouldShowWhatTheSystemTellsOfTheCpu() {
    system =
        Samples.system(
            new CpuFigures(OptionalDouble.of(0.5), OptionalLong.of(61), OptionalDouble.empty()));

    JsonObject device = figures.sample().getJsonArray("devices").getJsonObject(0);
    assertThat(device.getJsonObject("cpu"))
        .isEqualTo(new JsonObject().put("utilization", 0.5).put("temperatureCelsius", 61L));
  }

  private JsonArray rates() {
    return figures.history().getJsonArray("models").getJsonObject(0).getJsonArray("rates");
  }
}
