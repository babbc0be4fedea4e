package dev.conveyor.verticles.bench.suite;

import io.vertx.core.json.JsonObject;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The server that the rows about its own cost share: what one row warms up, the next need not.
 * Compiling the server's code is not its cost per request, and at the rate of a real model takes
 * minutes.
 *
 * <p>Not thread-safe: owned by the suite.
 */
final class ServingServer implements AutoCloseable {

  static final String IDENTITY = "identity";
  static final String SQUEEZENET_FILE = "squeezenet.onnx";

  private static final int IDENTITY_BATCH_SIZE = 64;
  private static final int SQUEEZENET_BATCH_SIZE = 8;

  private final Lab lab;
  private final Map<String, String> settings = new LinkedHashMap<>();
  private final SuiteServer server = new SuiteServer(this::start);

  ServingServer(Lab lab) {
    this.lab = lab;
    for (int instances = 1; instances <= lab.cores(); instances++) {
      settings.put(
          "squeezenet_x" + instances,
          "%d instances x %d threads".formatted(instances, lab.cores() / instances));
    }
  }

  /** Returns the name of each squeezenet, with its instance setting in words. */
  Map<String, String> squeezenets() {
    return settings;
  }

  /** Returns the server; starts it at the first call. */
  ServerProcess get() throws Exception {
    return server.get();
  }

  private ServerProcess start() throws Exception {
    TestRepository repository = lab.repository();
    repository.add(
        IDENTITY,
        lab.modelFile("identity.onnx"),
        TestRepository.config(IDENTITY_BATCH_SIZE, 1, 1).put("dynamic_batching", new JsonObject()));
    int instances = 1;
    for (String model : settings.keySet()) {
      repository.add(
          model,
          lab.modelFile(SQUEEZENET_FILE),
          TestRepository.config(SQUEEZENET_BATCH_SIZE, instances, lab.cores() / instances));
      instances++;
    }
    return lab.startServer(repository, List.of());
  }

  @Override
  public void close() {
    server.close();
  }
}
