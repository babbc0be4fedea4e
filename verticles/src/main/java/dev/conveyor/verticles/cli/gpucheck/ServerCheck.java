package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.config.ServerConfig;
import dev.conveyor.models.config.ServerConfigReader;
import dev.conveyor.models.device.GpuBackends;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.verticles.ConveyorServer;
import dev.conveyor.verticles.bus.InferenceClient;
import dev.conveyor.verticles.supervisor.SupervisorEvents;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.TimeUnit;

/** That a whole server finds the GPU, serves from it what it serves from the CPU, and leaves it. */
final class ServerCheck implements Check {

  private static final Duration LIMIT = Duration.ofMinutes(4);
  private static final double TOLERANCE = 1e-2;
  private static final int ROUNDS = 50;
  private static final int PATIENCE_SECONDS = 120;

  @Override
  public String name() {
    return "server";
  }

  @Override
  public String what() {
    return "a server answers from the GPU as from the CPU; an unload gives the memory back";
  }

  @Override
  public Duration limit() {
    return LIMIT;
  }

  @Override
  public Finding run(CheckSite site) throws Exception {
    Subject subject = Subject.classifier(site);
    GpuBackends.Choice choice =
        GpuBackends.find().choose(subject.file(), subject.config(new JsonObject()));
    if (choice.usable().isEmpty()) {
      return Finding.skipped(choice.reason());
    }
    return run(site, subject, new JsonObject());
  }

  /**
   * Looks.
   *
   * @param onGpu more of the configuration of the model on the GPU
   */
  static Finding run(CheckSite site, Subject subject, JsonObject onGpu) throws Exception {
    Path repository = site.scratch().resolve("repository");
    copy(subject, repository, "on_cpu", "KIND_CPU", new JsonObject());
    copy(subject, repository, "on_gpu", "KIND_GPU", onGpu);
    Vertx vertx = Vertx.vertx();
    try {
      ConveyorServer server = new ConveyorServer(vertx, config(repository), SupervisorEvents.NONE);
      await(server.start());
      try {
        return ask(site, vertx, server, subject);
      } finally {
        await(server.stop());
      }
    } finally {
      await(vertx.close());
    }
  }

  private static ServerConfig config(Path repository) {
    JsonObject free = new JsonObject().put("host", "127.0.0.1").put("port", 0);
    return ServerConfigReader.read(
        "gpu-check",
        new JsonObject()
            .put("model_repository", repository.toString())
            .put("http", free)
            .put("grpc", free)
            .put("metrics", free)
            .encode());
  }

  /** Takes tensors, not photos: decoding is not what is checked. */
  private static void copy(
      Subject subject, Path repository, String name, String kind, JsonObject more)
      throws IOException {
    Path directory = Files.createDirectories(repository.resolve(name).resolve("1"));
    Files.copy(subject.file(), directory.resolve("model.onnx"));
    JsonObject config =
        new JsonObject()
            .put("max_batch_size", subject.maxBatchSize())
            .put("dynamic_batching", new JsonObject())
            .put("instance_group", new JsonArray().add(new JsonObject().put("kind", kind)))
            .mergeIn(more);
    Files.writeString(repository.resolve(name).resolve("config.json"), config.encode());
  }

  private static Finding ask(CheckSite site, Vertx vertx, ConveyorServer server, Subject subject)
      throws Exception {
    InferenceClient client = InferenceClient.create(vertx);
    List<float[]> expected = answers(client, "on_cpu", subject.items());
    double worst = Answers.worstDifference(expected, answers(client, "on_gpu", subject.items()));
    long beginNs = System.nanoTime();
    for (int i = 0; i < ROUNDS; i++) {
      worst =
          Math.max(
              worst, Answers.worstDifference(expected, answers(client, "on_gpu", subject.items())));
    }
    double perSecond =
        (double) ROUNDS * subject.items().size() * 1e9 / (System.nanoTime() - beginNs);
    await(server.repository().unload("on_gpu", false));
    long held =
        server.gpus().all().stream()
            .filter(place -> place.gpu().ordinal() == site.gpu().ordinal())
            .mapToLong(place -> place.budget().reservedBytes())
            .sum();
    String figure =
        String.format(
            Locale.ROOT,
            "worst difference %.2e of %d requests, %,.0f/s over the event bus; %d bytes in the"
                + " ledger after the unload",
            worst,
            (ROUNDS + 1) * subject.items().size(),
            perSecond,
            held);
    return Finding.of(
            worst <= TOLERANCE && held == 0,
            figure,
            held == 0 ? "the answers differ" : "memory stays after the unload")
        .with("worst_relative_difference", worst)
        .with("requests_per_second", perSecond);
  }

  private static List<float[]> answers(InferenceClient client, String model, List<Item> items)
      throws Exception {
    List<Future<InferenceResponse>> asked = new ArrayList<>();
    for (Item item : items) {
      asked.add(client.infer(model, item.inputs()));
    }
    List<float[]> answers = new ArrayList<>();
    for (Future<InferenceResponse> answer : asked) {
      InferenceResponse response = Objects.requireNonNull(await(answer));
      answers.add(Answers.floats(response.outputs()));
      response.outputs().forEach(Tensor::close);
    }
    return answers;
  }

  private static <T> T await(Future<T> future) throws Exception {
    return future.toCompletionStage().toCompletableFuture().get(PATIENCE_SECONDS, TimeUnit.SECONDS);
  }
}
