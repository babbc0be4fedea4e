package dev.conveyor.verticles.bench.suite;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class NativeMemoryRowTest {

  private static final long MIB = 1 << 20;
  private static final String REPORT =
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

  @Test
  void shouldHoldWhenNothingGrowsAfterTheSecondRound() {
    List<NativeMemoryRow.Reading> readings = readings(0, 0, 0, 0);
    readings.set(0, reading(5, 0, 100 * MIB, 0));

    assertThat(NativeMemoryRow.judge(readings).value()).isZero();
  }

  @Test
  void shouldNotForgiveASingleCountedByte() {
    assertThat(NativeMemoryRow.judge(readings(1, 0, 0, 0)).value()).isEqualTo(8);
    assertThat(NativeMemoryRow.judge(readings(0, 1, 0, 0)).value()).isEqualTo(8);
  }

  @Test
  void shouldNameThePlaceThatGrew() {
    assertThat(NativeMemoryRow.judge(readings(3, 0, 0, 0)).how())
        .contains("growth 24 (24 at liba.so+0x1 libb.so+0x2)");
  }

  @Test
  void shouldForgiveResidentMemoryUpToItsNoiseOverSixRounds() {
    assertThat(NativeMemoryRow.judge(readings(0, 0, 16 * MIB / 6, 0)).value()).isZero();
    assertThat(NativeMemoryRow.judge(readings(0, 0, 16 * MIB / 6 + 1, 0)).value())
        .isEqualTo(6.0 * (16 * MIB / 6 + 1));
  }

  @Test
  void shouldNotTakeAPeakOfResidentMemoryForGrowth() {
    List<NativeMemoryRow.Reading> readings = readings(0, 0, 0, 0);
    readings.set(5, reading(0, 0, 900 * MIB, 0));
    readings.set(9, reading(0, 0, 900 * MIB, 0));

    assertThat(NativeMemoryRow.judge(readings).value()).isZero();
  }

  @Test
  void shouldNotCountWhatTheJvmCommittedForItself() {
    assertThat(NativeMemoryRow.judge(readings(0, 0, 5 * MIB, 3 * MIB)).value()).isZero();
  }

  @Test
  void shouldReadWhatTheJvmSaysOfItself() {
    assertThat(NativeMemoryRow.javaBytes(REPORT)).isEqualTo(1251376);
    assertThat(NativeMemoryRow.committedBytes(REPORT)).isEqualTo(131440603);
    assertThatThrownBy(() -> NativeMemoryRow.committedBytes("tracking is not enabled\n"))
        .isInstanceOf(CannotMeasureException.class)
        .hasMessageContaining("tracking is not enabled");
  }

  /** Ten rounds, each of which adds so many bytes. */
  private static List<NativeMemoryRow.Reading> readings(
      long natives, long java, long resident, long jvm) {
    List<NativeMemoryRow.Reading> readings = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      readings.add(reading(i * natives, i * java, 300 * MIB + i * resident, i * jvm));
    }
    return readings;
  }

  private static NativeMemoryRow.Reading reading(long natives, long java, long resident, long jvm) {
    NativeBooks.Page page =
        new NativeBooks.Page(natives, 1, Map.of("liba.so+0x1 libb.so+0x2", natives));
    return new NativeMemoryRow.Reading(page, java, resident, jvm);
  }
}
