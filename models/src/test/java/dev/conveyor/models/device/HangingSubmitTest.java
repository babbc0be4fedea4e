package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.ExecutionException.Kind;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.device.sim.SimulatedModel;
import dev.conveyor.models.device.sim.SimulatedRequest;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** An engine that does not come back from enqueueing, as with an endless loop in a model. */
class HangingSubmitTest extends GpuCase {

  private static final int LANES = 3;
  private static final SimulatedModel MODEL = new SimulatedModel(16, 16, 4, LANES, 1_000);

  private final ExecutorService threads = Executors.newFixedThreadPool(LANES);
  private final CountDownLatch hangs = new CountDownLatch(1);
  private final CountDownLatch cancelled = new CountDownLatch(1);
  private final CountDownLatch abandoned = new CountDownLatch(1);
  private final CountDownLatch freed = new CountDownLatch(1);
  private final CountDownLatch returned = new CountDownLatch(1);

  /** What the engine does; if there is nothing else, it waits until it is cancelled. */
  private volatile Runnable stuck =
      () -> {
        try {
          cancelled.await();
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
        }
        throw new IllegalStateException("terminated");
      };

  @BeforeEach
  void start() {
    begin("real_time=1 copy_ns=1000");
  }

  @AfterEach
  void stop() {
    cancelled.countDown();
    threads.shutdownNow();
  }

  private LaneGroup group() {
    return new LaneGroup(
        place,
        place.budget(),
        model(),
        MODEL.layout(),
        LANES,
        0,
        "lanes",
        false,
        new GivenUp() {
          @Override
          public void begins() {
            abandoned.countDown();
          }

          @Override
          public void ends() {
            returned.countDown();
          }
        });
  }

  /** The engine has come back: so nothing runs, and nothing stays. */
  private void assertEverythingComesBack() throws InterruptedException {
    returned.await();
    assertNothingLeft();
  }

  private Future<Throwable> executeOn(ModelExecutor lane) {
    List<SimulatedRequest> batch = List.of(SimulatedRequest.onHeap(MODEL, 2, random));
    return threads.submit(
        () -> {
          place.use();
          return catchThrowable(() -> lane.execute(batch));
        });
  }

  @Test
  void shouldLetLanesComeAndGoMeanwhile() throws Exception {
    LaneGroup group = group();
    Lane hanging = group.newLane(MODEL.maxBatchSize());
    Future<Throwable> execution = executeOn(hanging);
    hangs.await();

    Lane other = group.newLane(MODEL.maxBatchSize());
    assertThat(other).isNotNull();
    other.close();

    hanging.cancel();
    assertThat(execution.get()).isInstanceOf(ExecutionException.class);
    assertEverythingComesBack();
  }

  @Test
  void shouldEndTheEngineThatHangsWhenItsExecutionIsCut() throws Exception {
    Lane hanging = group().newLane(MODEL.maxBatchSize());
    Future<Throwable> execution = executeOn(hanging);
    hangs.await();

    hanging.cancel();

    assertThat(execution.get())
        .isInstanceOfSatisfying(
            ExecutionException.class, e -> assertThat(e.kind()).isEqualTo(Kind.INSTANCE_LOST));
    assertThat(place.lost()).as("the device is well").isNull();
    assertEverythingComesBack();
  }

  @Test
  void shouldLoseWhoWaitsForTheOneThatHangsAndKeepTheWeightsThoughItNeverLeaves() throws Exception {
    LaneGroup group = group();
    Lane hanging = group.newLane(MODEL.maxBatchSize());
    Lane waiting = group.newLane(MODEL.maxBatchSize());
    Deaf deaf = new Deaf();
    stuck = deaf;
    Future<Throwable> never = executeOn(hanging);
    hangs.await();
    Future<Throwable> execution = executeOn(waiting);

    hanging.cancel();

    assertThat(execution.get())
        .isInstanceOfSatisfying(
            ExecutionException.class, e -> assertThat(e.kind()).isEqualTo(Kind.INSTANCE_LOST));
    assertThat(group.newLane(MODEL.maxBatchSize())).as("nothing runs here any more").isNull();
    abandoned.await();
    waiting.close();
    assertThat(never).isNotDone();
    assertThat(device.reservedBytes()).as("it may be used still").isPositive();
    deaf.free.countDown();
    assertThat(never.get()).isInstanceOf(ExecutionException.class);
    assertEverythingComesBack();
  }

  @Test
  void shouldFreeTheWeightsOfAModelThatWasUnloadedOnlyWhenTheEngineHasComeBack() throws Exception {
    GpuModel model = load(model());
    Deaf deaf = new Deaf();
    stuck = deaf;
    ModelExecutor hanging = model.newExecutor(MODEL.maxBatchSize());
    Future<Throwable> never = executeOn(hanging);
    hangs.await();

    hanging.cancel();
    model.close();
    assertThat(freed.getCount()).as("the engine may read them").isEqualTo(1);
    deaf.free.countDown();
    assertThat(never.get()).isInstanceOf(ExecutionException.class);
    freed.await();
    assertNothingLeft();
  }

  @Test
  void shouldTellWhatAnEngineKnowsOfItsFailure() {
    ExecutionException noMemory = new ExecutionException(Kind.OUT_OF_MEMORY, "the arena is full");
    stuck =
        () -> {
          throw noMemory;
        };
    try (Lane lane = group().newLane(MODEL.maxBatchSize())) {
      List<SimulatedRequest> batch = List.of(SimulatedRequest.onHeap(MODEL, 2, random));
      assertThat(catchThrowable(() -> lane.execute(batch))).isSameAs(noMemory);
    }
    assertNothingLeft();
  }

  /** Does not hear that it is cancelled, as a call of the driver. */
  private static final class Deaf implements Runnable {

    private final CountDownLatch free = new CountDownLatch(1);

    @Override
    public void run() {
      try {
        free.await();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Its engine is stuck in every batch. */
  private TestModel model() {
    DeviceEngine engine =
        new DeviceEngine() {
          @Override
          public void enqueue(int items, DeviceBatch batch, long stream) {
            hangs.countDown();
            stuck.run();
          }

          @Override
          public void cancel() {
            cancelled.countDown();
          }

          @Override
          public void close() {}
        };
    return new TestModel(MODEL.layout().inputs(), MODEL.layout().outputs(), site -> engine) {
      @Override
      public void close() {
        freed.countDown();
      }
    };
  }
}
