package dev.conveyor.scheduler.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.scheduler.TestRequests;
import java.util.List;
import org.junit.jupiter.api.Test;

final class DevicesTest {

  private static final long MS = 1_000_000;

  private final Devices devices =
      new Devices(
          ScenarioReader.read(
              "test",
              """
              {"name": "t", "duration_seconds": 1, "devices": [{"name": "d", "count": 2, "slots": 3}],
               "models": [{"name": "m", "count": 3, "max_batch_size": 1,
                 "latency_objective_microseconds": 100000,
                 "profile": {"alpha_microseconds": 0, "beta_microseconds": 10000}}],
               "interference": [{"model": "m-0", "beside": "m-1", "stretch": 3},
                                {"model": "m-0", "beside": "m-0", "stretch": 2}]}
              """));

  @Test
  void shouldStretchOnlyWhatIsLeftWhileTheOtherRuns() {
    start(0, 0, 0);
    start(0, 1, 5 * MS);

    assertThat(ends()).as("5 ms alone, 5 at a third of the speed").isEqualTo(20 * MS);
    assertThat(ends()).as("5 ms done by then").isEqualTo(25 * MS);
  }

  @Test
  void shouldAddUpWhatSeveralDo() {
    start(0, 0, 0);
    start(0, 1, 0);
    start(0, 0, 0);

    assertThat(ends()).as("beside two that disturb it").isEqualTo(40 * MS);
  }

  @Test
  void shouldLeaveOtherPairsAndOtherDevicesAlone() {
    start(0, 0, 0);
    start(0, 2, 0);
    start(1, 1, 0);

    assertThat(ends()).isEqualTo(10 * MS);
    assertThat(ends()).isEqualTo(10 * MS);
    assertThat(ends()).isEqualTo(10 * MS);
  }

  private void start(int device, int model, long nowNs) {
    Run unused = devices.start(device, model, List.of(TestRequests.request().build()), this, nowNs);
  }

  private long ends() {
    return devices.removeFirst().finishNs;
  }
}
