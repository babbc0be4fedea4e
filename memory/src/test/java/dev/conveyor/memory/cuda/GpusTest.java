package dev.conveyor.memory.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Fault;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What is found on simulated machines. */
class GpusTest {

  private static final int ANY = 0;
  private static final String FIRST = "GPU-10111213-1415-1617-1819-101112131400";
  private static final String SECOND = "GPU-20212223-2425-2627-2829-202122232400";
  private static final String SLICE_0 = "MIG-20212223-2425-2627-2829-202122232401";
  private static final String SLICE_1 = "MIG-20212223-2425-2627-2829-202122232402";

  private static Gpus find(String machine, int minComputeCapability, String visible) {
    CudaSimulator unused = Simulators.start(machine + " visible=" + visible);
    return Gpus.find(minComputeCapability, visible);
  }

  private static Gpus find(String machine) {
    CudaSimulator unused = Simulators.start(machine);
    return Gpus.find(ANY, null);
  }

  @Test
  void shouldFindEveryGpu() {
    Gpus gpus = find("devices=2 device_bytes=1000000 capability=89");

    assertThat(gpus.usable())
        .containsExactly(
            new Gpu(0, FIRST, "Simulated GPU", 89, 1_000_000),
            new Gpu(1, SECOND, "Simulated GPU", 89, 1_000_000));
    assertThat(gpus.usable().get(1).device()).isEqualTo("GPU1");
    assertThat(gpus.notes()).isEmpty();
  }

  @Test
  void shouldTellHowEachIs() {
    Gpus gpus =
        find("device_bytes=8000000 utilization=73 power_mw=123456 temperature=61 devices=1");
    Cuda cuda = gpus.cuda();
    long stream = cuda.newStream(0);
    long pool = cuda.newPool(0, 1 << 20);
    long address = cuda.allocate(pool, 1000, stream);
    cuda.awaitStream(stream);

    GpuFigures figures;
    try (GpuWatch watch = new GpuWatch(gpus)) {
      Map<Gpu, GpuFigures> latest = watch.latest();
      figures = latest.get(gpus.usable().get(0));
    }

    assertThat(figures.utilization()).hasValue(0.73);
    assertThat(figures.powerWatts()).hasValue(123.456);
    assertThat(figures.powerLimitWatts()).hasValue(300);
    assertThat(figures.energyJoules()).hasValue(5000);
    assertThat(figures.temperatureCelsius()).hasValue(61);
    assertThat(figures.memoryTotalBytes()).hasValue(8_000_000);
    assertThat(figures.memoryUsedBytes()).hasValue(cuda.takenBytes(pool));
    cuda.free(address, stream);
    cuda.awaitStream(stream);
    cuda.destroyStream(stream);
    cuda.destroyPool(pool);
  }

  @Test
  void shouldFindASliceByItsUuid() {
    Gpus gpus = find("devices=2 mig=3 device_bytes=1000000", ANY, SLICE_1);

    assertThat(gpus.usable())
        .containsExactly(new Gpu(0, SLICE_1, "Simulated GPU MIG 1g.1gb", 90, 1_000_000));
    assertThat(gpus.usable().get(0).isSlice()).isTrue();
    assertThat(gpus.notes()).isEmpty();
  }

  @Test
  void shouldTellOfASliceWhatTheDriverTellsOfSlices() {
    Gpus gpus = find("devices=1 mig=2 device_bytes=1000000 power_mw=50000");

    GpuFigures figures = gpus.nvml().figures(gpus.usable().get(0).uuid()).orElseThrow();

    assertThat(figures.utilization()).isEmpty();
    assertThat(figures.memoryTotalBytes()).hasValue(1_000_000);
    assertThat(figures.powerWatts()).hasValue(50);
  }

  @Test
  void shouldObeyWhatTheProcessMaySee() {
    assertThat(find("devices=3", ANY, "1").usable()).extracting(Gpu::uuid).containsExactly(SECOND);
    assertThat(find("devices=2", ANY, SECOND + "," + FIRST).usable())
        .extracting(Gpu::uuid)
        .containsExactly(SECOND, FIRST);
    assertThat(find("devices=2", ANY, "GPU-2021").usable())
        .extracting(Gpu::uuid)
        .containsExactly(SECOND);
  }

  @Test
  void shouldSayWhatIsNamedAndNotThere() {
    Gpus gpus = find("devices=2 mig=1", ANY, "0,7,1");

    assertThat(gpus.usable()).extracting(Gpu::uuid).containsExactly(FIRST);
    assertThat(gpus.notes())
        .containsExactly(
            "CUDA_VISIBLE_DEVICES=0,7,1: \"7\" is none of 0 (Simulated GPU, %s), 1 (Simulated GPU, %s), %s (Simulated GPU MIG 1g.1gb), and hides what is named behind it"
                .formatted(FIRST, SECOND, SLICE_0));
  }

  @Test
  void shouldNotUseWhatIsTooOld() {
    Gpus gpus = find("devices=1 capability=61", 75, "0");

    assertThat(gpus.cuda()).isNull();
    assertThat(gpus.usable()).isEmpty();
    assertThat(gpus.notes())
        .containsExactly(
            "GPU0 (Simulated GPU) is not used: compute capability 6.1, min_compute_capability is 7.5");
  }

  @Test
  void shouldSayThatTheDriverIsTooOld() {
    Gpus gpus = find("devices=1 driver=12040");

    assertThat(gpus.usable()).isEmpty();
    assertThat(gpus.notes())
        .containsExactly(
            "the driver is too old: it is for CUDA 12.4, CUDA 13.0 or newer is needed; driver 999.01 shows 0 (Simulated GPU, %s)"
                .formatted(FIRST));
  }

  @Test
  void shouldGoOnWithoutNvml() {
    Gpus gpus = find("devices=1 nvml_error=18");

    assertThat(gpus.usable()).extracting(Gpu::name).containsExactly("Simulated GPU");
    assertThat(gpus.notes())
        .containsExactly(
            "NVML: Driver/library version mismatch: no utilisation, power or temperature");
    try (GpuWatch watch = new GpuWatch(gpus)) {
      assertThat(watch.latest()).isEmpty();
    }
  }

  @Test
  void shouldSayThatADeviceIsLost() {
    CudaSimulator simulator = Simulators.start("devices=1");
    simulator.inject("cudaDeviceGetAttribute", 0, 719, Fault.STICKY);

    Gpus gpus = Gpus.find(ANY, null);

    assertThat(gpus.usable()).isEmpty();
    assertThat(gpus.notes())
        .containsExactly(
            "the GPUs cannot be used: cudaDeviceGetAttribute: cudaErrorLaunchFailure (719)");
  }
}
