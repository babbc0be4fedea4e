package dev.conveyor.verticles.instance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.config.ModelConfigReader;
import dev.conveyor.scheduler.Batch;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.scheduler.isolation.RunClock;
import dev.conveyor.verticles.metrics.RecordingModelStats;
import dev.conveyor.verticles.metrics.Samples;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Whose fault it is when requests of one batch fail for different reasons. A batch is a word, a
 * request a letter: {@code p} fails, {@code s} makes its instance sick, so that nothing succeeds
 * there any more, and every other letter is answered.
 */
final class SickInstanceTest {

  private static final String WARMED_UP =
      """
      {"max_batch_size": 32, "model_warmup": [{"name": "first", "batch_size": 32, "inputs":
       {"x": {"data_type": "TYPE_UINT8", "dims": [1], "zero_data": true}}}]}""";

  private final Vertx vertx = Vertx.vertx();
  private final Isolation isolation =
      new Isolation((model, version, decision, reason, detail) -> {});
  private final Context context = vertx.getOrCreateContext();
  private final Patient executor = new Patient();
  private final List<Boolean> asked = new ArrayList<>();
  private final List<Integer> probed = new ArrayList<>();
  private RunClock clock = new RunClock(0);
  private final BatchRunner runner =
      new BatchRunner(
          Samples.model(ModelConfigReader.read("m", WARMED_UP), "1", new RecordingModelStats()),
          executor,
          isolation,
          (why, nothingWorked) -> {
            asked.add(nothingWorked);
            probed.add(clock.probeItems());
            long nowNs = System.nanoTime();
            assertThat(nowNs - clock.ageNs(nowNs))
                .as("it began after what had failed")
                .isGreaterThanOrEqualTo(executor.failedNs);
            return executor.sick;
          });

  private boolean lost;

  private static final class Patient implements ModelExecutor {
    private boolean sick;
    private long failedNs;

    @Override
    public BatchResult execute(List<? extends BatchRequest> requests) {
      boolean poisoned = false;
      for (BatchRequest request : requests) {
        byte letter = request.inputs().get(0).data().get(0);
        sick |= letter == 's';
        poisoned |= letter == 'p';
      }
      if (sick || poisoned) {
        failedNs = System.nanoTime();
        throw new IllegalStateException(sick ? "sick" : "poison");
      }
      return new BatchResult(requests.stream().map(request -> List.<Tensor>of()).toList(), 0, 0, 0);
    }

    @Override
    public void close() {}
  }

  @AfterEach
  void stop() throws Exception {
    vertx.close().toCompletionStage().toCompletableFuture().get(60, TimeUnit.SECONDS);
  }

  /** Runs a batch; returns the letters of the requests that were told a failure, in order. */
  private String blamedOf(String letters) throws Exception {
    List<String> blamed = new CopyOnWriteArrayList<>();
    List<InferenceRequest> requests = new ArrayList<>();
    for (int i = 0; i < letters.length(); i++) {
      char letter = letters.charAt(i);
      ByteBuffer data = ByteBuffer.wrap(new byte[] {(byte) letter});
      Tensor input = Tensor.of("x", DataType.UINT8, Shape.of(1, 1), data);
      ReplyTo reply =
          new ReplyTo(
              context,
              (answer, failure) -> {
                if (failure != null) {
                  blamed.add(String.valueOf(letter));
                }
              });
      requests.add(InferenceRequest.of("m", "1", List.of(input), reply).build());
    }
    long nowNs = System.nanoTime();
    Batch batch = new Batch(1, requests, requests.size(), nowNs);
    clock = batch.clock();
    try {
      runner.run(batch, nowNs);
    } catch (ExecutionException e) {
      assertThat(e.kind()).isEqualTo(ExecutionException.Kind.INSTANCE_LOST);
      lost = true;
    }
    CompletableFuture<Void> delivered = new CompletableFuture<>();
    context.runOnContext(v -> delivered.complete(null));
    delivered.get(60, TimeUnit.SECONDS);
    return String.join("", blamed);
  }

  @ParameterizedTest
  @ValueSource(strings = {"aapsbb", "pasb", "apbs", "sapb", "bbpaasbb", "ppas", "paaasaaa"})
  void shouldBlameNoGoodRequestForAnInstanceThatFallsSickAfterAnotherFailure(String letters)
      throws Exception {
    String blamed = blamedOf(letters);
    assertThat(blamed).doesNotContain("a").doesNotContain("b");
    if (!lost) {
      assertThat(blamed).contains("s"); // nothing ran after it
      assertThat(blamedOf("ab")).isEmpty();
    }
    assertThat(lost).isTrue();
  }

  @Test
  void shouldBlameNoGoodRequestBecauseOneThatIsKnownToFailFailsOnASickInstanceToo()
      throws Exception {
    assertThat(blamedOf("pa")).isEqualTo("p");
    assertThat(blamedOf("aspa")).isEmpty();
    assertThat(lost).isTrue();
  }

  @ParameterizedTest
  @CsvSource({"ap, p, 0", "aaaaaaap, p, 0", "paaaaaaa, p, 0", "aapp, pp, 1", "p, p, 1"})
  void shouldAskAboutTheInstanceOnlyWhereTheSearchDoesNotTell(
      String letters, String guilty, int questions) throws Exception {
    assertThat(blamedOf(letters)).isEqualTo(guilty);
    assertThat(lost).isFalse();
    assertThat(asked).hasSize(questions);
  }

  @Test
  void shouldGiveASyntheticBatchTheTimeOfItsOwnSize() throws Exception {
    assertThat(blamedOf("p")).isEqualTo("p");
    assertThat(probed).containsExactly(32);
    assertThat(blamedOf("a")).isEmpty();
    assertThat(clock.probeItems()).as("a request's own again").isZero();
  }

  @Test
  void shouldSayWhetherAnythingWorked() throws Exception {
    assertThat(blamedOf("aapp")).isEqualTo("pp");
    assertThat(asked).containsExactly(false);
    asked.clear();
    assertThat(blamedOf("s")).isEmpty();
    assertThat(asked).containsExactly(true);
  }
}
