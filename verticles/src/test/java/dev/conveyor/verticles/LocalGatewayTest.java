package dev.conveyor.verticles;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.ModelSignature;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.scheduler.Addresses;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.LocalCodec;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.scheduler.admission.ModelLoad;
import dev.conveyor.verticles.metrics.RecordingModelStats;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class LocalGatewayTest {

  private final Vertx vertx = Vertx.vertx();
  private final ModelCatalog catalog = new ModelCatalog();
  private final LocalGateway gateway = new LocalGateway(vertx, catalog);
  private final Promise<List<Tensor>> decoded = Promise.promise();

  @AfterEach
  void close() {
    TestServer.await(vertx.close());
  }

  @Test
  void shouldKeepAVersionWhileAnImageForItIsDecoded() throws Exception {
    LocalCodec.registerAll(vertx);
    CompletableFuture<String> submitted = new CompletableFuture<>();
    vertx
        .eventBus()
        .<InferenceRequest>localConsumer(
            Addresses.SUBMIT, request -> submitted.complete(request.body().version()));
    ServedModel served = served();
    catalog.publish("model", List.of(served));
    CompletableFuture<Boolean> entered = new CompletableFuture<>();
    vertx.runOnContext(
        v -> {
          gateway.infer(call(), (answer, failure) -> {});
          entered.complete(true);
        });
    assertThat(entered.get(60, TimeUnit.SECONDS)).isTrue();

    CompletableFuture<Boolean> told = new CompletableFuture<>();
    served.entrance().close(() -> told.complete(true));
    assertThat(told).isNotDone();
    decoded.complete(List.of());
    assertThat(told.get(60, TimeUnit.SECONDS)).isTrue();
    assertThat(submitted.get(60, TimeUnit.SECONDS)).isEqualTo("1@1");
  }

  @Test
  void shouldAnswerWhoseImageIsDecodedWithoutEndWhenTheServerStops() throws Exception {
    LocalCodec.registerAll(vertx);
    catalog.publish("model", List.of(served()));
    for (boolean stopsBefore : new boolean[] {false, true}) {
      CompletableFuture<InferenceException> failed = new CompletableFuture<>();
      vertx.runOnContext(
          v -> {
            gateway.infer(call(), (answer, failure) -> failed.complete(failure));
            if (!stopsBefore) {
              gateway.answerAll();
            }
          });
      assertThat(failed.get(60, TimeUnit.SECONDS).code()).isEqualTo(ErrorCode.SHUTTING_DOWN);
    }
  }

  @Test
  void shouldLetTheVersionGoWhenDecodingFails() throws Exception {
    ServedModel served = served();
    catalog.publish("model", List.of(served));
    CompletableFuture<InferenceException> failed = new CompletableFuture<>();
    decoded.fail(new InferenceException(ErrorCode.QUEUE_FULL, "full"));
    vertx.runOnContext(v -> gateway.infer(call(), (answer, failure) -> failed.complete(failure)));
    assertThat(failed.get(60, TimeUnit.SECONDS).code()).isEqualTo(ErrorCode.QUEUE_FULL);
    CompletableFuture<Boolean> told = new CompletableFuture<>();
    served.entrance().close(() -> told.complete(true));
    assertThat(told.get(60, TimeUnit.SECONDS)).isTrue();
  }

  @Test
  void shouldDecodeNothingThatWouldBeLateAnyway() throws Exception {
    LocalCodec.registerAll(vertx);
    ServedModel served = served();
    catalog.publish("model", List.of(served));
    CompletableFuture<InferenceException> refused = new CompletableFuture<>();
    served.door().load().set(load(9)); // 90 ms of work, and 10 ms of its own
    vertx.runOnContext(v -> gateway.infer(call(), (answer, failure) -> refused.complete(failure)));
    assertThat(refused.get(60, TimeUnit.SECONDS).reason()).isEqualTo(RefusalReason.DEADLINE);

    CompletableFuture<InferenceException> taken = new CompletableFuture<>();
    served.door().load().set(load(0));
    vertx.runOnContext(v -> gateway.infer(call(), (answer, failure) -> taken.complete(failure)));
    decoded.fail(new InferenceException(ErrorCode.INVALID_REQUEST, "no image"));
    assertThat(taken.get(60, TimeUnit.SECONDS).code()).isEqualTo(ErrorCode.INVALID_REQUEST);
  }

  /** A model with an objective of 100 ms whose batches of one take 10 ms. */
  private static ModelLoad load(int queued) {
    ModelLoad.Speed speed = new ModelLoad.Speed(1, 1, 10_000_000, 10_000_000);
    long freeAtNs = System.nanoTime() + 10_000_000_000L;
    return new ModelLoad(
        queued, queued, 0, queued, false, 0, speed, freeAtNs, 0, 0, 100_000_000, false);
  }

  private static InferCall call() {
    return new InferCall("model", "", List.of(), 0, 0, InferenceRequest.NO_DEADLINE);
  }

  private ServedModel served() {
    ImageInputs images =
        new ImageInputs() {
          @Override
          public boolean applyTo(List<Tensor> inputs) {
            return true;
          }

          @Override
          public Future<Prepared> preprocess(
              List<Tensor> inputs, ReplyTo reply, Runnable admission) {
            try {
              admission.run();
            } catch (InferenceException e) {
              return Future.failedFuture(e);
            }
            return decoded.future().map(Prepared::new);
          }
        };
    return new ServedModel(
        "model",
        "1",
        "1@1",
        "test",
        ModelConfig.empty("model"),
        new ModelSignature(List.of(), List.of(), 0),
        List.of(),
        Map.of(),
        new InputCheck("model", List.of(), List.of(), 0),
        images,
        new RecordingModelStats());
  }
}
