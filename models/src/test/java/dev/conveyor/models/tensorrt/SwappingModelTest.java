package dev.conveyor.models.tensorrt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.device.DeviceBatch;
import dev.conveyor.models.device.DeviceEngine;
import dev.conveyor.models.device.DeviceLayout;
import dev.conveyor.models.device.DeviceModel;
import dev.conveyor.models.device.EngineSite;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

class SwappingModelTest {

  private static final DeviceBatch BATCH =
      new DeviceBatch() {
        @Override
        public long input(int index) {
          return 0;
        }

        @Override
        public long output(int index) {
          return 0;
        }
      };

  private final List<String> events = new ArrayList<>();
  private final List<Runnable> builds = new ArrayList<>();
  private final EngineSite site = new EngineSite(null, 0, null, null, 0);
  private final FakeModel slow = new FakeModel("slow");
  private final FakeModel fast = new FakeModel("fast");

  @Test
  void shouldServeWithWhatThereIsUntilTheBetterIsThere() {
    SwappingModel model = model(() -> fast);
    DeviceEngine engine = model.newEngine(site);

    run(engine, 2);
    builds.get(0).run();
    run(engine, 1);

    assertThat(events).containsExactly("+slow", "slow", "slow", "+fast", "fast");
    assertThat(model.reservedBytes()).isEqualTo(20);
  }

  @Test
  void shouldKeepTheOldEngineWhileABatchOfItMayRun() {
    SwappingModel model = model(() -> fast);
    DeviceEngine engine = model.newEngine(site);
    run(engine, 1);
    builds.get(0).run();

    run(engine, SwappingEngine.MOST_IN_FLIGHT);
    assertThat(events).doesNotContain("-slow");
    run(engine, 1);
    assertThat(events).endsWith("fast", "-slow");

    engine.close();
    model.close();
    assertThat(events).endsWith("-slow", "-fast", "close fast", "close slow");
  }

  /** What is captured is not called again, and calls are what swaps, and what counts batches. */
  @Test
  void shouldBeCapturedOnlyWhenTheOldEngineIsGone() {
    SwappingModel model = model(() -> fast);
    DeviceEngine engine = model.newEngine(site);
    run(engine, 1);
    assertThat(engine.isCapturable()).as("before the swap").isFalse();
    builds.get(0).run();

    run(engine, SwappingEngine.MOST_IN_FLIGHT);
    assertThat(engine.isCapturable()).as("while the old one may run").isFalse();
    run(engine, 1);

    assertThat(events).endsWith("-slow");
    assertThat(engine.isCapturable()).isTrue();
  }

  @Test
  void shouldCloseBothIfItIsClosedJustAfterTheSwap() {
    SwappingModel model = model(() -> fast);
    DeviceEngine engine = model.newEngine(site);
    builds.get(0).run();
    run(engine, 1);

    engine.close();

    assertThat(events).containsExactly("+slow", "+fast", "fast", "-slow", "-fast");
  }

  @Test
  void shouldGoOnWhenTheBuildFails() {
    SwappingModel model =
        model(
            () -> {
              throw new IllegalStateException("unsupported operator");
            });
    DeviceEngine engine = model.newEngine(site);
    builds.get(0).run();

    run(engine, 2);

    assertThat(events).containsExactly("+slow", "slow", "slow");
  }

  /** TensorRT makes floats of doubles, and what serves goes on reading and writing doubles. */
  @Test
  void shouldStayWithWhatServesWhenTheNewTakesOtherTypes() {
    slow.outputs = List.of(new TensorSpec("out", DataType.FP64, Shape.of(-1, 2)));
    fast.outputs = List.of(new TensorSpec("out", DataType.FP32, Shape.of(-1, 2)));
    SwappingModel model = model(() -> fast);
    DeviceEngine engine = model.newEngine(site);
    builds.get(0).run();

    run(engine, 2);

    assertThat(events).containsExactly("+slow", "close fast", "slow", "slow");
  }

  @Test
  void shouldGoOnWithoutAskingAgainWhenThereIsNoRoomForTheNewEngine() {
    fast.failure = new CudaException("cudaMallocFromPoolAsync", 2, "out of memory");
    SwappingModel model = model(() -> fast);
    DeviceEngine engine = model.newEngine(site);
    builds.get(0).run();

    run(engine, 2);

    assertThat(events).containsExactly("+slow", "no fast", "slow", "slow");
  }

  @Test
  void shouldCloseWhatComesTooLateAndNotBuildWhatNobodyWaitsFor() {
    List<SwappingModel> holder = new ArrayList<>();
    SwappingModel late =
        model(
            () -> {
              holder.get(0).close();
              return fast;
            });
    holder.add(late);
    builds.get(0).run();
    assertThat(events).containsExactly("close slow", "close fast");

    events.clear();
    SwappingModel closed =
        model(
            () -> {
              throw new AssertionError("built for nobody");
            });
    closed.close();
    builds.get(1).run();
    assertThat(events).containsExactly("close slow");
  }

  @Test
  void shouldTellWhoeverBuildsThatNobodyWantsItAnyMore() {
    List<Boolean> answers = new ArrayList<>();
    List<SwappingModel> holder = new ArrayList<>();
    holder.add(
        new SwappingModel(
            "m/1",
            slow,
            100,
            unwanted -> {
              answers.add(unwanted.getAsBoolean());
              holder.get(0).close();
              answers.add(unwanted.getAsBoolean());
              throw new IllegalStateException("stopped");
            },
            builds::add));

    builds.get(0).run();

    assertThat(answers).containsExactly(false, true);
    assertThat(events).containsExactly("close slow");
  }

  @Test
  void shouldStartNewInstancesWithTheBetter() {
    SwappingModel model = model(() -> fast);
    builds.get(0).run();

    run(model.newEngine(site), 1);

    assertThat(events).containsExactly("+fast", "fast");
  }

  @Test
  void shouldServeAReplacementWithTheFirstFormWhileTheBetterIsBuiltAndSwapItToo() {
    SwappingModel model = model(() -> fast);
    DeviceEngine lost = model.newEngine(site);
    run(lost, 1);
    lost.close();

    DeviceEngine replacement = model.newEngine(site);
    run(replacement, 1);
    builds.get(0).run();
    run(replacement, 1);

    assertThat(events).containsExactly("+slow", "slow", "-slow", "+slow", "slow", "+fast", "fast");
  }

  @Test
  void shouldServeAReplacementWithTheFirstFormWhenThereIsNoRoomForTheBetter() {
    fast.failure = new CudaException("cudaMallocFromPoolAsync", 2, "out of memory");
    SwappingModel model = model(() -> fast);
    builds.get(0).run();

    run(model.newEngine(site), 2);

    assertThat(events).containsExactly("no fast", "+slow", "slow", "slow");
  }

  @Test
  void shouldNotHideThatTheDeviceIsLost() {
    fast.failure = new CudaException("cudaMallocFromPoolAsync", 719, "launch failure");
    SwappingModel model = model(() -> fast);
    builds.get(0).run();

    assertThatThrownBy(() -> model.newEngine(site)).isSameAs(fast.failure);
    assertThat(events).containsExactly("no fast");
  }

  private SwappingModel model(Supplier<DeviceModel> better) {
    return new SwappingModel("m/1", slow, 100, unwanted -> better.get(), builds::add);
  }

  private static void run(DeviceEngine engine, int batches) {
    for (int i = 0; i < batches; i++) {
      engine.enqueue(1, BATCH, 0);
    }
  }

  private final class FakeModel implements DeviceModel {
    private final String name;
    private CudaException failure;
    private List<TensorSpec> outputs = List.of();

    FakeModel(String name) {
      this.name = name;
    }

    @Override
    public List<TensorSpec> inputs() {
      return List.of();
    }

    @Override
    public List<TensorSpec> outputs() {
      return outputs;
    }

    @Override
    public long reservedBytes() {
      return 10;
    }

    @Override
    public long scratchBytes(DeviceLayout layout) {
      return 1;
    }

    @Override
    public DeviceEngine newEngine(EngineSite where) {
      if (failure != null) {
        events.add("no " + name);
        throw failure;
      }
      events.add("+" + name);
      return new DeviceEngine() {
        @Override
        public void enqueue(int items, DeviceBatch batch, long stream) {
          events.add(name);
        }

        @Override
        public boolean isCapturable() {
          return true;
        }

        @Override
        public void close() {
          events.add("-" + name);
        }
      };
    }

    @Override
    public void close() {
      events.add("close " + name);
    }
  }
}
