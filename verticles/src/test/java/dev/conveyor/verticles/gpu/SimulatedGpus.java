package dev.conveyor.verticles.gpu;

import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.models.DataType;
import dev.conveyor.models.device.Simulators;
import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.stream.IntStream;

/**
 * Simulated GPUs for one test, and models that run on them. Not thread-safe: the test's. Afterwards
 * other tests of this process find a machine without a GPU again.
 */
public final class SimulatedGpus implements AutoCloseable {

  public static final int WIDTH = 16;

  private final CudaSimulator simulator;
  private final String settings;

  private SimulatedGpus(CudaSimulator simulator, String settings) {
    this.simulator = simulator;
    this.settings = settings;
  }

  /**
   * Starts so many; ends the test where they cannot be had.
   *
   * @param settings as {@link CudaSimulator#reset} takes them, besides the number of devices
   */
  static SimulatedGpus start(int devices, String settings) {
    return new SimulatedGpus(Simulators.start(machine(devices, settings)), settings);
  }

  /** Replaces them by so many others. */
  void reset(int devices) {
    simulator.reset(machine(devices, settings));
  }

  private static String machine(int devices, String settings) {
    return "real_time=1 devices=%d copy_ns=5000 %s".formatted(devices, settings);
  }

  public CudaSimulator simulator() {
    return simulator;
  }

  /** Returns what is allocated on a device. */
  public long takenBytes(int device) {
    return simulator.figure(device, Figure.TAKEN_BYTES);
  }

  /** Adds a model whose batches are those of {@link KernelBackend}. */
  public static void model(TestModels models, String name, JsonObject group, JsonObject conveyor) {
    model(models, name, group, conveyor, new JsonObject());
  }

  /** Adds such a model that has two versions, which are both served. */
  public static void twoVersions(
      TestModels models, String name, JsonObject group, JsonObject conveyor) {
    model(models, name, group, conveyor);
    JsonObject all = new JsonObject().put("all", new JsonObject());
    JsonObject config = config(group, conveyor, new JsonObject()).put("version_policy", all);
    models.unary(name, 2, "Identity", DataType.INT32, "N", WIDTH).config(name, config.encode());
  }

  /** Adds such a model whose engines pass through the {@link Gate} of its name as they are made. */
  public static void gated(TestModels models, String name, JsonObject group) {
    JsonObject gate = new JsonObject().put("string_value", name);
    JsonObject parameters = new JsonObject().put(KernelBackend.GATE_PARAMETER, gate);
    model(models, name, group, new JsonObject(), parameters);
  }

  /** Adds such a model of which it has to be measured what its load takes. */
  static void measured(TestModels models, String name, JsonObject group) {
    JsonObject on = new JsonObject().put("string_value", "on");
    JsonObject parameters = new JsonObject().put(KernelBackend.MEASURED_PARAMETER, on);
    model(models, name, group, new JsonObject(), parameters);
  }

  private static void model(
      TestModels models,
      String name,
      JsonObject group,
      JsonObject conveyor,
      JsonObject parameters) {
    models
        .identity(name, DataType.INT32, "N", WIDTH)
        .config(name, config(group, conveyor, parameters).encode());
  }

  private static JsonObject config(JsonObject group, JsonObject conveyor, JsonObject parameters) {
    return new JsonObject()
        .put("max_batch_size", 8)
        .put("instance_group", new JsonArray().add(group))
        .put("conveyor", conveyor)
        .put(
            "parameters",
            parameters.put(KernelBackend.PARAMETER, new JsonObject().put("string_value", "on")));
  }

  /** Returns a request of one item. */
  public static JsonObject request(int seed) {
    JsonArray data = new JsonArray();
    IntStream.range(0, WIDTH).forEach(i -> data.add(1000 * seed + i));
    return Requests.of(
        Requests.input("INPUT0", 1, WIDTH).put("datatype", "INT32").put("data", data));
  }

  @Override
  public void close() {
    simulator.forgetFaults();
    simulator.reset("devices=0");
  }
}
