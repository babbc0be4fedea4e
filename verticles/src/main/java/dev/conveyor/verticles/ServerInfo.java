package dev.conveyor.verticles;

import dev.conveyor.verticles.shm.SharedMemoryRegions;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.ArrayList;
import java.util.List;

/** What the server says about itself. */
public final class ServerInfo {

  public static final String NAME = "conveyor";
  public static final String VERSION = "0.1.0";

  private static final List<String> EXTENSIONS =
      List.of(
          "classification",
          "model_repository",
          "model_repository(unload_dependents)",
          "model_configuration",
          "statistics",
          "binary_tensor_data",
          "schedule_policy",
          "parameters");

  private ServerInfo() {}

  /** Returns the protocol extensions that really work here. */
  public static List<String> extensions(SharedMemoryRegions regions) {
    List<String> extensions = new ArrayList<>(EXTENSIONS);
    if (regions.isEnabled()) {
      extensions.add("system_shared_memory");
    }
    return extensions;
  }

  /** Returns the answer to {@code GET /v2}. */
  public static JsonObject metadata(SharedMemoryRegions regions) {
    return new JsonObject()
        .put("name", NAME)
        .put("version", VERSION)
        .put("extensions", new JsonArray(extensions(regions)));
  }
}
