package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.device.GpuBackends;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.verticles.ConveyorServer;
import dev.conveyor.verticles.bus.InferenceClient;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.json.JsonObject;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/** That a whole server finds the GPU, serves from it what it serves from the CPU, and leaves it. */
final class ServerCheck implements Check {

  private static final Duration LIMIT = Duration.ofMinutes(4);
  private static final double TOLERANCE = 1e-2;
  private static final int ROUNDS = 50;

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
    // They take tensors, not photos: decoding is not what is checked.
    CheckServer.add(repository, subject, "on_cpu", "KIND_CPU", new JsonObject());
    CheckServer.add(repository, subject, "on_gpu", "KIND_GPU", onGpu);
    try (CheckServer server = CheckServer.start(repository)) {
      return ask(site, server.vertx(), server.server(), subject);
    }
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
    CheckServer.await(server.repository().unload("on_gpu", false));
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
      InferenceResponse response = Objects.requireNonNull(CheckServer.await(answer));
      answers.add(Answers.floats(response.outputs()));
      response.outputs().forEach(Tensor::close);
    }
    return answers;
  }
}
