package dev.conveyor.verticles.isolation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.Tensor;
import dev.conveyor.verticles.bus.InferenceClient;
import dev.conveyor.verticles.chaos.Poison;
import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Future;
import io.vertx.core.json.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** A server whose models fail as requests say, and what it tells of that. Thread-safe. */
final class FaultyServer implements AutoCloseable {

  /** Requests in a full batch. */
  static final int BATCH = 32;

  private static final int PATIENCE_SECONDS = 60;

  private final TestServer server;
  private final BlockingQueue<JsonObject> events = new LinkedBlockingQueue<>();

  FaultyServer(TestServer server) {
    this.server = server;
    server
        .vertx()
        .eventBus()
        .<JsonObject>consumer("conveyor.events", message -> events.add(message.body()));
  }

  /** Adds a model of one instance that gives back its rows of four numbers, through a gate. */
  static void addModel(TestModels models, String name) {
    models
        .identity(name, 4)
        .config(
            name,
            """
            {"max_batch_size": %d, "dynamic_batching": {},
             "instance_group": [{"kind": "KIND_CPU", "count": 1}],
             "conveyor": {"reject_non_finite": %s},
             "parameters": {"chaos": {"string_value": "on"},
                            "test_gate": {"string_value": "%s"}}}"""
                .formatted(BATCH, name.equals("batched"), name));
  }

  TestServer server() {
    return server;
  }

  /** Belongs after every test. */
  void assertIdle() {
    server.assertIdle();
    events.clear();
  }

  @Override
  public void close() {
    server.close();
  }

  Future<float[]> infer(String model, float... row) {
    return infer(InferenceClient.create(server.vertx()), model, row);
  }

  static Future<float[]> infer(InferenceClient client, String model, float... row) {
    Tensor input = Requests.tensor("INPUT0", row);
    return client
        .infer(model, List.of(input))
        .map(answer -> Requests.floats(answer.outputs().get(0)));
  }

  /** Lets the server learn how long a model takes. */
  void learn(String model, int requests) {
    for (int i = 0; i < requests; i++) {
      TestServer.await(infer(model, 1, 2, 3, i));
    }
  }

  /** Sends a full batch, one request of which is poisoned; returns the answers. */
  List<Future<float[]>> batch(String model, int at, Poison poison, float amount)
      throws InterruptedException {
    List<Future<float[]>> answers;
    Future<float[]> first;
    try (Gate gate = Gate.shut(model)) {
      first = infer(model, 1, 2, 3, 4);
      gate.awaitArrival();
      answers = send(model, at, poison, amount);
      server.awaitQueued(model, BATCH);
    }
    TestServer.await(first);
    return answers;
  }

  /** Sends as many requests, one of which is poisoned, in whatever batches; returns the answers. */
  List<Future<float[]>> send(String model, int at, Poison poison, float amount) {
    List<Future<float[]>> answers = new ArrayList<>();
    for (int i = 0; i < BATCH; i++) {
      answers.add(infer(model, i == at ? row(poison, amount, i) : new float[] {1, 2, 3, i}));
    }
    return answers;
  }

  static float[] row(Poison poison, float amount, int last) {
    return new float[] {poison.mark(), amount, 0, last};
  }

  static void assertOnlyFails(List<Future<float[]>> answers, int at, String message) {
    for (int i = 0; i < answers.size(); i++) {
      Future<float[]> answer = answers.get(i);
      if (i == at) {
        assertThatThrownBy(() -> TestServer.await(answer)).hasMessageContaining(message);
      } else {
        assertThat(TestServer.await(answer)).containsExactly(1, 2, 3, i);
      }
    }
  }

  /** Waits for the next event that tells of a decision about a model. */
  JsonObject next(String model, String decision) throws InterruptedException {
    return next(model, decision, reason -> true);
  }

  /** Waits for the next event that tells of a decision about a model for such a reason. */
  JsonObject next(String model, String decision, Predicate<String> reason)
      throws InterruptedException {
    JsonObject event = next();
    while (!model.equals(event.getString("model"))
        || !decision.equals(event.getString("decision"))
        || !reason.test(event.getString("reason"))) {
      event = next();
    }
    return event;
  }

  private JsonObject next() throws InterruptedException {
    JsonObject event = events.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
    if (event == null) {
      throw new AssertionError("no such event");
    }
    return event;
  }

  /** Or the model's memory would still be held when the server stops. */
  void awaitNoneHung(String model) {
    TestServer.awaitThat(() -> !instances(model).encode().contains("HUNG"));
  }

  JsonObject instances(String model) {
    return server.http().get("/v2/models/" + model + "/instances").json();
  }

  /** Returns what the server says about each instance of a model. */
  List<JsonObject> lines(String model) {
    return instances(model).getJsonArray("instances").stream().map(JsonObject.class::cast).toList();
  }

  /** Returns the decisions about a model that the metrics count. */
  String counted(String model) {
    return new HttpCalls(server.server().metricsPort())
        .get("/metrics")
        .text()
        .lines()
        .filter(line -> line.startsWith("conveyor_isolation_decisions_total"))
        .filter(line -> line.contains("model=\"" + model + "\""))
        .collect(Collectors.joining("\n"));
  }

  /** Returns a figure of a model's statistics. */
  long statistic(String model, String name) {
    return statistics(model).getLong(name);
  }

  /** Returns how many requests to a model failed, by its statistics. */
  long failures(String model) {
    return statistics(model)
        .getJsonObject("inference_stats")
        .getJsonObject("fail")
        .getLong("count");
  }

  private JsonObject statistics(String model) {
    return server
        .http()
        .get("/v2/models/" + model + "/stats")
        .json()
        .getJsonArray("model_stats")
        .getJsonObject(0);
  }
}
