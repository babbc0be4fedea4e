package dev.conveyor.verticles.instance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.scheduler.Addresses;
import dev.conveyor.scheduler.Batch;
import dev.conveyor.scheduler.BatchOutcome;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.LocalCodec;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.verticles.InferCall;
import dev.conveyor.verticles.LocalGateway;
import dev.conveyor.verticles.ModelCatalog;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.isolation.Decision;
import dev.conveyor.verticles.metrics.ModelStats;
import dev.conveyor.verticles.metrics.RecordingModelStats;
import dev.conveyor.verticles.metrics.Samples;
import io.vertx.core.Vertx;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Inputs that cannot be had, and whose fault that is. */
final class BatchRunnerTest {

  private final Vertx vertx = Vertx.vertx();
  private final List<Decision> decisions = new ArrayList<>();
  private final Isolation isolation =
      new Isolation((model, version, decision, reason, detail) -> decisions.add(decision));
  private final List<String> asked = new ArrayList<>();

  /** An executor that fails every batch. */
  private record Failing(RuntimeException failure) implements ModelExecutor {
    @Override
    public BatchResult execute(List<? extends BatchRequest> requests) {
      throw failure;
    }

    @Override
    public void close() {}
  }

  @AfterEach
  void stop() throws Exception {
    vertx.close().toCompletionStage().toCompletableFuture().get(60, TimeUnit.SECONDS);
  }

  private InferenceException failureWhen(RuntimeException failure) throws Exception {
    return failureOf(failure, false);
  }

  private InferenceException failureOf(RuntimeException failure, boolean succeeded)
      throws Exception {
    BatchRunner runner =
        new BatchRunner(
            Samples.model("m", "1", new RecordingModelStats()),
            new Failing(failure),
            isolation,
            (why, nothingWorked) -> !asked.add(why));
    CompletableFuture<InferenceException> failed = new CompletableFuture<>();
    ReplyTo reply = new ReplyTo(vertx.getOrCreateContext(), (answer, why) -> failed.complete(why));
    Tensor input = Tensor.of("x", DataType.UINT8, Shape.of(1, 1), ByteBuffer.allocate(1));
    InferenceRequest request = InferenceRequest.of("m", "1", List.of(input), reply).build();
    long nowNs = System.nanoTime();
    assertThat(runner.run(new Batch(1, List.of(request), 1, nowNs), nowNs).succeeded())
        .isEqualTo(succeeded);
    return failed.get(60, TimeUnit.SECONDS);
  }

  @ParameterizedTest
  @CsvSource({"OUT_OF_MEMORY, false", "UNAVAILABLE, false", "INVALID_REQUEST, true"})
  void shouldNotCountInputsThatCannotBeHadAgainstTheInstance(ErrorCode code, boolean remembered)
      throws Exception {
    assertThat(failureWhen(new InferenceException(code, "no tensor")).code()).isEqualTo(code);
    assertThat(asked).isEmpty();
    assertThat(isolation.suspects().isEmpty()).isEqualTo(!remembered);
    assertThat(decisions.contains(Decision.REQUEST_BLAMED)).isEqualTo(remembered);
  }

  @Test
  void shouldNotRunInputsThatCostTooManyInstances() throws Exception {
    Tensor killer = Tensor.of("x", DataType.UINT8, Shape.of(1, 1), ByteBuffer.allocate(1));
    ReplyTo nobody = new ReplyTo(vertx.getOrCreateContext(), (answer, why) -> {});
    InferenceRequest lost = InferenceRequest.of("m", "1", List.of(killer), nobody).build();
    for (int i = 0; i < 3; i++) {
      boolean unused = isolation.suspects().onLoss(lost, 1, "SIGSEGV", System.nanoTime());
    }

    InferenceException failure = failureOf(new IllegalStateException("it ran"), true);

    assertThat(failure.code()).isEqualTo(ErrorCode.EXECUTION_FAILED);
    assertThat(failure).hasMessageContaining("SIGSEGV");
    assertThat(asked).isEmpty();
    assertThat(decisions).containsExactly(Decision.REQUEST_BLAMED);
  }

  @Test
  void shouldAskAboutTheInstanceWhenAnythingElseFails() throws Exception {
    assertThat(failureWhen(new IllegalStateException("broken")).code())
        .isEqualTo(ErrorCode.EXECUTION_FAILED);
    assertThat(asked).containsExactly("broken");
    assertThat(decisions).containsExactly(Decision.REQUEST_BLAMED);
  }

  @Test
  void shouldLeaveItToTheGatewayToCountWhatExpiresOnItsWay() throws Exception {
    LocalCodec.registerAll(vertx);
    RecordingModelStats stats = new RecordingModelStats();
    ServedModel served = Samples.model("m", "1", stats);
    ModelCatalog catalog = new ModelCatalog();
    catalog.publish("m", List.of(served));
    BatchRunner runner =
        new BatchRunner(
            served,
            new Failing(new IllegalStateException("it ran")),
            isolation,
            (why, nothingWorked) -> !asked.add(why));
    vertx
        .eventBus()
        .<InferenceRequest>localConsumer(
            Addresses.SUBMIT,
            sent -> {
              long nowNs = System.nanoTime();
              BatchOutcome unused = runner.run(new Batch(1, List.of(sent.body()), 1, nowNs), nowNs);
            });
    CompletableFuture<InferenceException> failed = new CompletableFuture<>();
    InferCall late = new InferCall("m", "", List.of(), 0, 0, System.nanoTime());
    LocalGateway gateway = new LocalGateway(vertx, catalog);
    vertx.runOnContext(v -> gateway.infer(late, (answer, why) -> failed.complete(why)));

    assertThat(failed.get(60, TimeUnit.SECONDS).code()).isEqualTo(ErrorCode.DEADLINE_EXCEEDED);
    assertThat(stats.snapshot().failures()).containsEntry(ModelStats.Reason.REJECTED, 1L);
    assertThat(asked).isEmpty();
  }
}
