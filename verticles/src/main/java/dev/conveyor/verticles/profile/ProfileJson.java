package dev.conveyor.verticles.profile;

import dev.conveyor.scheduler.ModelProfile;
import dev.conveyor.scheduler.profile.ProfileSnapshot;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.metrics.ObjectiveCounts;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;

/** Writes profiles. Stateless. Times are microseconds. */
public final class ProfileJson {

  private ProfileJson() {}

  /** Returns everything about the profile of a model, and how it keeps what it promises. */
  public static JsonObject of(ServedModel model, ModelProfile profile) {
    JsonArray devices = new JsonArray();
    for (ModelProfile.OnDevice device : profile.devices()) {
      ProfileSnapshot costs = device.costs();
      ProfileSnapshot.Accuracy accuracy = costs.accuracy();
      JsonArray concurrency = new JsonArray();
      for (ProfileSnapshot.Concurrency level : costs.byConcurrency()) {
        concurrency.add(
            new JsonObject()
                .put("batches", level.batches())
                .put("batch_sizes", sizes(level.sizes())));
      }
      JsonObject shown =
          new JsonObject()
              .put("device", device.device())
              .put("seed", device.seed().name().toLowerCase(Locale.ROOT))
              .put("seed_samples", costs.seeded())
              .put("relearned", costs.relearned())
              .put(
                  "fit",
                  new JsonObject()
                      .put("alpha_us", micros(costs.alphaNs()))
                      .put("beta_us", micros(costs.betaNs())))
              .put(
                  "accuracy",
                  new JsonObject()
                      .put("batches", accuracy.scored())
                      .put("median_error", round(accuracy.medianError()))
                      .put("share_under_p99", round(accuracy.shareUnderP99()))
                      .put("share_under_p99_ever", round(accuracy.shareUnderP99Ever())))
              .put("batch_sizes", sizes(costs.sizes()))
              .put("concurrency", concurrency)
              .put("occupancy", occupancy(device.occupancy()));
      device.wide().ifPresent(wide -> shown.put("idle", idle(wide)));
      devices.add(shown);
    }
    JsonObject json =
        new JsonObject().put("model_name", model.name()).put("model_version", model.version());
    if (model.objectiveNs() > 0) {
      json.put("objective", objective(model.objectiveNs(), model.stats().objective()));
    }
    return json.put("devices", devices);
  }

  private static JsonObject objective(long promisedNs, ObjectiveCounts counts) {
    OptionalDouble share = counts.share();
    return new JsonObject()
        .put("latency_objective_us", promisedNs / 1000)
        .put("answered_inside", counts.inside())
        .put("answered_late", counts.late())
        .put("refused", counts.refused())
        .put("share_inside", share.isPresent() ? round(share.getAsDouble()) : null);
  }

  private static JsonObject idle(ModelProfile.Wide wide) {
    return new JsonObject()
        .put("threads", wide.threads())
        .put("batches", wide.batches())
        .put("batch_sizes", sizes(wide.sizes()));
  }

  private static JsonObject occupancy(ModelProfile.Occupancy occupancy) {
    JsonArray stretch = new JsonArray();
    occupancy.stretch().forEach(value -> stretch.add(value > 0 ? round(value) : null));
    JsonObject beside = new JsonObject();
    occupancy.beside().forEach((model, value) -> beside.put(model, round(value)));
    return new JsonObject()
        .put("batches_at_once", occupancy.limit())
        .put("stretch", stretch)
        .put("stretch_beside", beside)
        .put("last_change", occupancy.lastChange());
  }

  private static JsonArray sizes(List<ProfileSnapshot.Size> sizes) {
    JsonArray array = new JsonArray();
    for (ProfileSnapshot.Size size : sizes) {
      array.add(
          new JsonObject()
              .put("batch_size", size.batchSize())
              .put("samples", size.samples())
              .put("median_us", micros(size.medianNs()))
              .put("p95_us", micros(size.p95Ns()))
              .put("p99_us", micros(size.p99Ns()))
              .put("predicted_us", micros(size.predictedNs()))
              .put("predicted_p99_us", micros(size.predictedP99Ns()))
              .put("error", round(size.error())));
    }
    return array;
  }

  private static double micros(double ns) {
    return Math.round(ns / 100) / 10.0;
  }

  private static double round(double value) {
    return Math.round(value * 10_000) / 10_000.0;
  }
}
