package dev.conveyor.memory.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CpuThermometersTest {

  @TempDir Path root;
  private FakeSys sys;

  @BeforeEach
  void fake() {
    sys = new FakeSys(root);
  }

  @Test
  void shouldTellTheHottestPackageAndAskNoCore() {
    sys.put("hwmon/hwmon0/name", "nvme").put("hwmon/hwmon0/temp1_input", "99000");
    sys.put("hwmon/hwmon1/name", "coretemp")
        .put("hwmon/hwmon1/temp1_label", "Package id 0")
        .put("hwmon/hwmon1/temp1_input", "41000")
        .put("hwmon/hwmon1/temp2_label", "Core 0")
        .put("hwmon/hwmon1/temp2_input", "43000");
    sys.put("hwmon/hwmon2/name", "coretemp")
        .put("hwmon/hwmon2/temp1_label", "Package id 1")
        .put("hwmon/hwmon2/temp1_input", "42500");

    CpuThermometers found = CpuThermometers.find(root);

    assertThat(found.files()).hasSize(2);
    assertThat(found.celsius()).hasValue(43);
  }

  @Test
  void shouldTakeTheDieRatherThanWhatTheFanIsToldAndTheRestWhereThereIsNoDie() {
    sys.put("hwmon/hwmon0/name", "k10temp")
        .put("hwmon/hwmon0/temp1_label", "Tctl")
        .put("hwmon/hwmon0/temp1_input", "77000")
        .put("hwmon/hwmon0/temp2_label", "Tdie")
        .put("hwmon/hwmon0/temp2_input", "50000");
    assertThat(CpuThermometers.find(root).celsius()).hasValue(50);

    sys.put("hwmon/hwmon0/temp2_label", "Tccd1");
    assertThat(CpuThermometers.find(root).celsius()).hasValue(77);
  }

  @Test
  void shouldAskThermalZonesOfTheCpuWhereNoChipTells() {
    sys.put("thermal/thermal_zone0/type", "acpitz").put("thermal/thermal_zone0/temp", "90000");
    sys.put("thermal/thermal_zone1/type", "x86_pkg_temp")
        .put("thermal/thermal_zone1/temp", "38499");
    sys.put("thermal/thermal_zone2/type", "cpu-thermal").put("thermal/thermal_zone2/temp", "-1600");
    assertThat(CpuThermometers.find(root).celsius()).hasValue(38);

    sys.put("hwmon/hwmon0/name", "coretemp").put("hwmon/hwmon0/temp1_input", "20000");
    assertThat(CpuThermometers.find(root).celsius()).hasValue(20);
  }

  @Test
  void shouldLeaveOutWhatVanishesOrIsNoNumber() {
    sys.put("thermal/thermal_zone0/type", "cpu-thermal").put("thermal/thermal_zone0/temp", "30000");
    sys.put("thermal/thermal_zone1/type", "cpu-thermal").put("thermal/thermal_zone1/temp", "40000");
    CpuThermometers found = CpuThermometers.find(root);
    assertThat(found.celsius()).hasValue(40);

    sys.put("thermal/thermal_zone1/temp", "");
    assertThat(found.celsius()).hasValue(30);
    sys.remove("thermal/thermal_zone0/temp");
    assertThat(found.celsius()).isEmpty();
  }

  @Test
  void shouldTellNothingOfAMachineThatTellsNothing() {
    assertThat(CpuThermometers.find(root.resolve("absent")).celsius()).isEmpty();
  }
}
