package dev.conveyor.memory.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PowerMeterTest {

  private static final long SECOND_NS = 1_000_000_000L;

  @TempDir Path root;
  private FakeSys sys;
  private long nowNs = Long.MAX_VALUE - SECOND_NS; // Survives overflow of nanoTime.

  @BeforeEach
  void fake() {
    sys = new FakeSys(root);
  }

  @Test
  void shouldTellTheMeanOfAllPackagesSinceTheLookBefore() {
    PowerMeter meter = new PowerMeter(sys.energy(0, "5000000").energy(1, "7").root());
    assertThat(meter.watts(nowNs)).isEmpty();

    sys.energy(0, "65000000").energy(1, "20000007");
    assertThat(meter.watts(nowNs += 2 * SECOND_NS)).hasValue(40);
    assertThat(meter.watts(nowNs)).isEmpty();
    assertThat(meter.watts(nowNs += SECOND_NS)).hasValue(0);
  }

  @Test
  void shouldCountOnWhereACounterBeginsAgain() {
    PowerMeter meter = new PowerMeter(sys.energy(0, "1000000000").root());
    assertThat(meter.watts(nowNs)).isEmpty();

    sys.energy(0, "0");
    assertThat(meter.watts(nowNs += SECOND_NS)).hasValue(0);
    sys.energy(0, "990000000");
    assertThat(meter.watts(nowNs += SECOND_NS)).hasValue(990);
    sys.energy(0, "15000000");
    assertThat(meter.watts(nowNs += SECOND_NS)).hasValue(25);
  }

  @Test
  void shouldTellNothingOfACounterThatWasSetBackAndWhoseRangeIsNotKnown() {
    sys.energy(0, "90000000").remove("powercap/intel-rapl:0/max_energy_range_uj");
    PowerMeter meter = new PowerMeter(root);
    assertThat(meter.watts(nowNs)).isEmpty();

    sys.put("powercap/intel-rapl:0/energy_uj", "1000000");
    assertThat(meter.watts(nowNs += SECOND_NS)).isEmpty();
    sys.put("powercap/intel-rapl:0/energy_uj", "31000000");
    assertThat(meter.watts(nowNs += SECOND_NS)).hasValue(30);
  }

  @Test
  void shouldTellNothingWhileOnePackageCannotBeRead() {
    PowerMeter meter = new PowerMeter(sys.energy(0, "0").energy(1, "0").root());
    assertThat(meter.watts(nowNs)).isEmpty();

    sys.energy(0, "10000000").remove("powercap/intel-rapl:1/energy_uj");
    assertThat(meter.watts(nowNs += SECOND_NS)).isEmpty();
    sys.put("powercap/intel-rapl:1/energy_uj/no-file", "");
    assertThat(meter.watts(nowNs += SECOND_NS)).isEmpty();
    sys.remove("powercap/intel-rapl:1/energy_uj/no-file")
        .remove("powercap/intel-rapl:1/energy_uj")
        .energy(1, "20000000");
    assertThat(meter.watts(nowNs += SECOND_NS)).isEmpty();
    sys.energy(1, "25000000");
    assertThat(meter.watts(nowNs += SECOND_NS)).hasValue(5);
  }

  @Test
  void shouldCountNeitherPartsOfAPackageNorThePlatformNorThePackageTwice() {
    sys.energy(0, "0");
    sys.energy(1, "0").put("powercap/intel-rapl:1/name", "psys");
    sys.put("powercap/intel-rapl:0:0/name", "package-part")
        .put("powercap/intel-rapl:0:0/energy_uj", "0");
    sys.put("powercap/intel-rapl-mmio:0/name", "package-0")
        .put("powercap/intel-rapl-mmio:0/energy_uj", "0");
    PowerMeter meter = new PowerMeter(root);
    assertThat(meter.watts(nowNs)).isEmpty();

    for (String zone : new String[] {"intel-rapl:0:0", "intel-rapl-mmio:0", "intel-rapl:1"}) {
      sys.put("powercap/" + zone + "/energy_uj", "50000000");
    }
    sys.energy(0, "12000000");
    assertThat(meter.watts(nowNs += SECOND_NS)).hasValue(12);
  }

  @Test
  void shouldTellNothingOfAMachineThatTellsNothing() {
    PowerMeter meter = new PowerMeter(root.resolve("absent"));
    assertThat(meter.watts(nowNs)).isEmpty();
    assertThat(meter.watts(nowNs += SECOND_NS)).isEmpty();
  }
}
