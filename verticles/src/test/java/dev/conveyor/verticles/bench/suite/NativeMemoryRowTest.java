package dev.conveyor.verticles.bench.suite;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import org.junit.jupiter.api.Test;

class NativeMemoryRowTest {

  private static final double MIB = 1 << 20;

  @Test
  void shouldHoldWhenNothingGrowsAfterTheSecondRound() {
    List<NativeMemoryRow.Reading> readings = readings(0, 0);
    readings.set(0, new NativeMemoryRow.Reading(OptionalDouble.of(5), 100 * MIB));

    assertThat(NativeMemoryRow.judge(readings).value()).isZero();
  }

  @Test
  void shouldNotForgiveASingleCountedByte() {
    assertThat(NativeMemoryRow.judge(readings(1, 0)).value()).isEqualTo(8);
  }

  @Test
  void shouldForgiveResidentMemoryUpToItsNoise() {
    assertThat(NativeMemoryRow.judge(readings(0, 2 * MIB)).value()).isZero();
    assertThat(NativeMemoryRow.judge(readings(0, 2 * MIB + 1)).value()).isEqualTo(16 * MIB + 8);
  }

  @Test
  void shouldAddUpWhatTheJvmAllocatedForItself() {
    String report =
        """
        Total: reserved=1976344539, committed=131440603
        -                 Java Heap (reserved=536870912, committed=536870912)
                                    (mmap: reserved=536870912, committed=536870912)
        -                     Class (reserved=1074282155, committed=4915883)
                                    (classes #5301)
                                    (malloc=540331 #10)
        -                     Other (reserved=1251376, committed=1251376)
                                    (malloc=1251376 #70)
        -    Native Memory Tracking (reserved=3352304, committed=3352304)
                                    (malloc=1000 #2)
                                    (tracking overhead=500)
        """;

    assertThat(NativeMemoryRow.jvmBytes(report)).isEqualTo(540331 + 120 + 1000 + 24 + 500);
  }

  @Test
  void shouldJudgeByResidentMemoryWhenNothingIsCounted() {
    List<NativeMemoryRow.Reading> readings = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      readings.add(new NativeMemoryRow.Reading(OptionalDouble.empty(), 100 * MIB + i * 5 * MIB));
    }

    Measured measured = NativeMemoryRow.judge(readings);

    assertThat(measured.value()).isEqualTo(40 * MIB);
    assertThat(measured.how()).contains("conveyor_native_bytes is not published");
  }

  @Test
  void shouldAddUpTheSamplesOfAMetricAndNoOther() {
    String page =
        """
        # HELP conveyor_native_bytes x
        # TYPE conveyor_native_bytes gauge
        conveyor_native_bytes{device="cpu",owner="a b"} 1024.0
        conveyor_native_bytes{device="gpu"} 1e3 1700000000
        conveyor_native_bytes_max 7
        """;

    assertThat(NativeMemoryRow.metric(page, "conveyor_native_bytes")).hasValue(2024);
    assertThat(NativeMemoryRow.metric("conveyor_native_bytes 5\n", "conveyor_native_bytes"))
        .hasValue(5);
    assertThat(NativeMemoryRow.metric(page, "conveyor_native")).isEmpty();
  }

  /** Ten rounds, each of which adds so many bytes. */
  private static List<NativeMemoryRow.Reading> readings(double counted, double resident) {
    List<NativeMemoryRow.Reading> readings = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      readings.add(
          new NativeMemoryRow.Reading(OptionalDouble.of(i * counted), 300 * MIB + i * resident));
    }
    return readings;
  }
}
