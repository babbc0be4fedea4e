package dev.conveyor.verticles.cli.gpucheck;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.Gpus;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.models.device.Simulators;
import dev.conveyor.verticles.cli.gpucheck.Finding.Outcome;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is uploaded to the other device takes longer than what is copied from there. */
class PeersCheckTest {

  private static final String SETTINGS = "copy_ns=2000 to_device_mb_s=1000 devices=";

  @TempDir private Path directory;
  private CudaSimulator simulator;

  @BeforeEach
  void begin() {
    simulator = Simulators.start("");
  }

  /** Other tests of this process find a machine without a GPU again. */
  @AfterEach
  void end() {
    if (simulator != null) {
      simulator.reset("devices=0");
    }
  }

  private Finding check(Cuda cuda) {
    Gpus gpus = Gpus.find(0);
    try (CheckSite site =
        new CheckSite(gpus, cuda, gpus.usable().get(0), directory, directory, directory)) {
      return new PeersCheck().run(site);
    }
  }

  @Test
  void shouldCopyStraightFromTheOtherDeviceAndGiveEverythingBack() {
    simulator.reset(SETTINGS + 2);

    Finding finding = check(simulator.cuda());

    assertThat(finding.outcome()).as(finding.reason()).isEqualTo(Outcome.PASSED);
    assertThat(finding.figure()).contains("from GPU1 straight");
    assertThat(finding.numbers()).containsKey("from_gpu1_gb_s");
    assertThat(simulator.figure(0, Figure.PEER_BYTES)).isPositive();
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldSayThatTheDriverTakesTheHost() {
    simulator.reset(SETTINGS + "2 peers=0");

    assertThat(check(simulator.cuda()).figure()).contains("from GPU1 over the host");
  }

  @Test
  void shouldFailWhenTheReaderDoesNotWaitForTheWriter() {
    simulator.reset(SETTINGS + 2);
    Cuda cuda = Objects.requireNonNull(simulator.cuda());
    Cuda hasty =
        (Cuda)
            Proxy.newProxyInstance(
                Cuda.class.getClassLoader(),
                new Class<?>[] {Cuda.class},
                (proxy, called, args) ->
                    called.getName().equals("waitFor") ? null : called.invoke(cuda, args));

    assertThat(check(hasty).outcome()).isEqualTo(Outcome.FAILED);
  }

  @Test
  void shouldSkipWhereThereIsNoOtherDevice() {
    simulator.reset(SETTINGS + 1);

    assertThat(check(simulator.cuda()).outcome()).isEqualTo(Outcome.SKIPPED);
  }
}
