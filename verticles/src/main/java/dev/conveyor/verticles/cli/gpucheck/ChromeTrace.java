package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.models.device.PipelineTrace;
import dev.conveyor.models.device.PipelineTrace.Batch;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.List;

/**
 * Writes what an instance did in the trace event format of Chrome, which {@code chrome://tracing}
 * and Perfetto show: a row for each slot, with copying in, computing and copying out. Stateless.
 *
 * <p>Source: "Trace Event Format", complete events ({@code ph: X}), microseconds.
 */
final class ChromeTrace {

  private static final int PROCESS = 1;
  private static final double NS_PER_US = 1e3;

  private ChromeTrace() {}

  /**
   * Returns the file.
   *
   * @param name of the device, for the head
   */
  static JsonObject of(String name, PipelineTrace trace) {
    JsonArray events = new JsonArray().add(name("process_name", 0, name));
    List<Batch> batches = trace.batches();
    batches.stream()
        .map(Batch::slot)
        .distinct()
        .sorted()
        .forEach(slot -> events.add(name("thread_name", slot, "slot " + slot)));
    for (int i = 0; i < batches.size(); i++) {
      Batch batch = batches.get(i);
      events
          .add(event("copy in", i, batch, batch.copyInBeginNs(), batch.copyInEndNs()))
          .add(event("compute", i, batch, batch.computeBeginNs(), batch.computeEndNs()))
          .add(event("copy out", i, batch, batch.computeEndNs(), batch.copyOutEndNs()));
    }
    return new JsonObject().put("traceEvents", events).put("displayTimeUnit", "ms");
  }

  private static JsonObject name(String what, int slot, String name) {
    return new JsonObject()
        .put("name", what)
        .put("ph", "M")
        .put("pid", PROCESS)
        .put("tid", slot)
        .put("args", new JsonObject().put("name", name));
  }

  private static JsonObject event(String name, int number, Batch batch, long fromNs, long toNs) {
    return new JsonObject()
        .put("name", name)
        .put("cat", "batch")
        .put("ph", "X")
        .put("ts", fromNs / NS_PER_US)
        .put("dur", (toNs - fromNs) / NS_PER_US)
        .put("pid", PROCESS)
        .put("tid", batch.slot())
        .put("args", new JsonObject().put("batch", number).put("items", batch.items()));
  }
}
