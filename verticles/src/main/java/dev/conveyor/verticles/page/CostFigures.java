package dev.conveyor.verticles.page;

import dev.conveyor.scheduler.ModelProfile;
import dev.conveyor.scheduler.profile.ProfileSnapshot;
import dev.conveyor.verticles.ServedModel;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What batches cost, as the page draws it. Stateless. */
final class CostFigures {

  /** The page is for people; the rest is in the profile API. */
  private static final int MAX_SHOWN = 12;

  private CostFigures() {}

  static JsonArray of(Collection<ServedModel> models, Map<String, ModelProfile> profiles) {
    JsonArray costs = new JsonArray();
    List<ServedModel> ordered =
        models.stream()
            .sorted(Comparator.comparing(ServedModel::name).thenComparing(ServedModel::version))
            .toList();
    for (ServedModel model : ordered) {
      @Nullable ModelProfile profile = profiles.get(model.key());
      if (profile != null) {
        for (ModelProfile.OnDevice device : profile.devices()) {
          if (!device.costs().sizes().isEmpty() && costs.size() < MAX_SHOWN) {
            costs.add(of(model, device));
          }
        }
      }
    }
    return costs;
  }

  private static JsonObject of(ServedModel model, ModelProfile.OnDevice device) {
    ProfileSnapshot.Accuracy accuracy = device.costs().accuracy();
    JsonArray sizes = new JsonArray();
    for (ProfileSnapshot.Size size : device.costs().sizes()) {
      sizes.add(
          new JsonObject()
              .put("items", size.batchSize())
              .put("samples", size.samples())
              .put("measuredMs", ms(size.medianNs()))
              .put("predictedMs", ms(size.predictedNs()))
              .put("p99Ms", ms(size.predictedP99Ns())));
    }
    return new JsonObject()
        .put("name", model.name())
        .put("version", model.version())
        .put("device", device.device())
        .put("batches", accuracy.scored())
        .put("medianError", round(accuracy.medianError()))
        .put("underP99", round(accuracy.shareUnderP99()))
        .put("sizes", sizes);
  }

  private static double ms(double ns) {
    return Math.round(ns / 1000) / 1000.0;
  }

  private static double round(double value) {
    return Math.round(value * 10_000) / 10_000.0;
  }
}
