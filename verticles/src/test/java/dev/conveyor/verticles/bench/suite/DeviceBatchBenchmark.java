package dev.conveyor.verticles.bench.suite;

import dev.conveyor.memory.cuda.sim.CudaSimulator;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * The host's part of a batch of 8 images on a simulated device whose every slot is in flight:
 * scatter of the oldest batch's outputs, gather and enqueueing of the next. {@code scripts/jmh
 * DeviceBatchBenchmark} runs it.
 *
 * <p>One thread in virtual time, so that nobody waits and the time on the clock is the host's; the
 * device copies and computes nothing, but what the simulated runtime takes for its calls is in it.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class DeviceBatchBenchmark {

  private DeviceLoad load;

  /** Loads the model. */
  @Setup
  public void load() {
    CudaSimulator simulator = SimulatedDeviceRows.simulator();
    simulator.reset("no_data=1");
    load = new DeviceLoad(simulator, SimulatedDeviceRows.IMAGES);
  }

  /** One batch of 8 images. */
  @Benchmark
  public void batch() {
    load.runOne();
  }

  /** Finishes what is in flight. */
  @TearDown
  public void unload() {
    load.close();
  }
}
