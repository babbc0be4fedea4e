package dev.conveyor.verticles.ensemble;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.conveyor.memory.ThreadPriority;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.steps.Step;
import dev.conveyor.models.steps.StepResources;
import dev.conveyor.scheduler.ReplyTo;
import io.vertx.core.Vertx;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class StepStageTest {

  private Vertx vertx;
  private StepStage stage;

  @BeforeEach
  void open() {
    vertx = Vertx.vertx();
    stage = new StepStage(vertx, 2);
  }

  @AfterEach
  void close() throws Exception {
    stage.close().toCompletionStage().toCompletableFuture().get(60, TimeUnit.SECONDS);
    vertx.close().toCompletionStage().toCompletableFuture().get(60, TimeUnit.SECONDS);
  }

  @Test
  void shouldDecodeBelowThePriorityOfBatchesAndDoEverythingElseAtIt() throws Exception {
    assumeTrue(Files.isDirectory(Path.of("/proc/self/task")), "threads have priorities on Linux");
    int ordinary = ThreadPriority.current();
    Where decoding = run(true);
    Where other = run(false);
    assertThat(decoding.thread).startsWith("image-");
    assertThat(decoding.niceness).isEqualTo(19);
    assertThat(other.thread).startsWith("step-");
    assertThat(other.niceness).isEqualTo(ordinary);
  }

  private Where run(boolean decodes) throws Exception {
    Where where = new Where(decodes);
    List<Tensor> outputs =
        stage
            .run(
                where,
                List.of(),
                new StepStage.Request(ReplyTo.unheard(), Deadlines.NONE, CoreShares.of(1)))
            .toCompletionStage()
            .toCompletableFuture()
            .get(60, TimeUnit.SECONDS);
    assertThat(outputs).isEmpty();
    return where;
  }

  /** Takes note of the thread that it runs on. */
  private static final class Where implements Step {

    private final boolean decodes;
    private volatile String thread = "";
    private volatile int niceness;

    Where(boolean decodes) {
      this.decodes = decodes;
    }

    @Override
    public List<String> inputs() {
      return List.of();
    }

    @Override
    public List<TensorSpec> outputs(List<TensorSpec> inputs) {
      return List.of();
    }

    @Override
    public List<Tensor> run(List<Tensor> inputs, StepResources resources) {
      thread = Thread.currentThread().getName();
      niceness = ThreadPriority.current();
      return List.of();
    }

    @Override
    public boolean decodesImages() {
      return decodes;
    }
  }
}
