package dev.conveyor.memory.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.jna.Native;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.PointerByReference;
import dev.conveyor.memory.cuda.SmCounters.Activity;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import org.junit.jupiter.api.Test;

/** Activity of multiprocessors, as simulated machines tell it. */
class SmCountersTest {

  private final long[] now = {Long.MAX_VALUE - SmCounters.LEAST_NS}; // survives the overflow

  private static NvmlLibrary start(String machine) {
    CudaSimulator unused = Simulators.start(machine);
    return Native.load("libnvidia-ml.so.1", NvmlLibrary.class);
  }

  private static Pointer first(NvmlLibrary library) {
    PointerByReference device = new PointerByReference();
    assertThat(library.nvmlDeviceGetHandleByIndex_v2(0, device)).isZero();
    return device.getValue();
  }

  private SmCounters open(NvmlLibrary library) {
    return SmCounters.open(library, first(library), () -> now[0]).orElseThrow();
  }

  @Test
  void shouldTellTheActivitySinceTheLastLook() {
    try (SmCounters counters = open(start("devices=1 sm_activity=80"))) {
      assertThat(counters.look()).isEqualTo(Activity.UNKNOWN);

      now[0] += SmCounters.LEAST_NS;
      Activity busy = counters.look();
      start("devices=1 sm_activity=20");
      now[0] += SmCounters.LEAST_NS;
      Activity idle = counters.look();

      assertThat(busy.active()).hasValue(0.8);
      assertThat(busy.occupied()).hasValue(0.4);
      assertThat(idle.active()).hasValue(0.2);
    }
  }

  @Test
  void shouldAnswerAsBeforeUntilTheSamplesAreFarEnoughApart() {
    try (SmCounters counters = open(start("devices=1 sm_activity=80"))) {
      counters.look();
      now[0] += SmCounters.LEAST_NS;
      counters.look();
      start("devices=1 sm_activity=20");

      now[0] += SmCounters.LEAST_NS - 1;
      assertThat(counters.look().active()).hasValue(0.8);
      now[0] += 1;
      assertThat(counters.look().active()).hasValue(0.2);
    }
  }

  @Test
  void shouldBeginAnewAfterALookThatTheDriverRefused() {
    try (SmCounters counters = open(start("devices=1 sm_activity=80"))) {
      counters.look();
      start("devices=1 capability=89");
      now[0] += SmCounters.LEAST_NS;
      assertThat(counters.look()).isEqualTo(Activity.UNKNOWN);

      start("devices=1 sm_activity=60");
      assertThat(counters.look()).isEqualTo(Activity.UNKNOWN);
      now[0] += SmCounters.LEAST_NS;
      assertThat(counters.look().active()).hasValue(0.6);
    }
  }

  @Test
  void shouldHaveNoCountersWhereTheDeviceHasNone() {
    NvmlLibrary library = start("devices=1 capability=89");

    assertThat(SmCounters.open(library, first(library), () -> 0)).isEmpty();
  }
}
