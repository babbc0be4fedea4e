package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.Lease;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Fault;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Rows;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.steps.Step;
import dev.conveyor.models.steps.StepResources;
import dev.conveyor.models.steps.StepSettings;
import dev.conveyor.models.steps.Steps;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The kernel is the one that GPUs run, compiled as C. */
class DeviceCropsTest {

  private static final long MIB = 1 << 20;
  private static final String DEVICE = "GPU0";
  private static final String ADVERSE = "jitter_percent=500 latency_ns=30000 copy_ns=5000 seed=";
  private static final int WIDTH = 17;
  private static final int HEIGHT = 9;

  private final SplittableRandom random = new SplittableRandom(1);
  private final List<Lease> uploads = new ArrayList<>();
  private CudaSimulator simulator;
  private MemoryBudget device;
  private MemoryBudget host;
  private BufferPool pinned;
  private ResidentPool residents;
  private BufferPool memory;
  private long upload;

  @BeforeEach
  void start() {
    begin(ADVERSE + 1);
  }

  private void begin(String settings) {
    simulator = Simulators.start(settings);
    device = new MemoryBudget(DEVICE, 256 * MIB);
    host = new MemoryBudget("host", 64 * MIB);
    pinned = new BufferPool(new PinnedAllocator(simulator.cuda(), host, "pinned"), 16 * MIB);
    memory = new BufferPool(BlockAllocator.host(), 16 * MIB);
    upload = simulator.cuda().newStream(0);
    uploads.clear();
    poolOn(simulator.cuda());
  }

  private void poolOn(Cuda cuda) {
    residents = new ResidentPool(cuda, 0, device, pinned, reason -> {});
  }

  private void assertNothingLeft() {
    giveBackUploads();
    residents.close();
    pinned.close();
    assertThat(simulator.violationsAndLeaks()).isEmpty();
    assertThat(device.reservedBytes() + host.reservedBytes() + memory.leasedBytes()).isZero();
  }

  private void giveBackUploads() {
    simulator.cuda().awaitStream(upload);
    simulator.cuda().destroyStream(upload);
    uploads.forEach(Lease::close);
  }

  private static ByteBuffer little(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private Tensor image(DataType type, int images, int planes, int width, int height) {
    Shape shape = Shape.of(images, planes, height, width);
    ByteBuffer data = little((int) shape.elements() * type.sizeBytes());
    for (int i = 0; i < shape.elements(); i++) {
      if (type == DataType.UINT8) {
        data.put(i, (byte) random.nextInt(256));
      } else {
        data.putFloat(4 * i, (float) random.nextDouble(-300, 300));
      }
    }
    return Tensor.of("image", type, shape, data);
  }

  private static Tensor boxes(float... corners) {
    ByteBuffer data = little(4 * corners.length);
    for (int i = 0; i < corners.length; i++) {
      data.putFloat(4 * i, corners[i]);
    }
    return Tensor.of("box", DataType.FP32, Shape.of(corners.length / 4, 4), data);
  }

  /** Returns a tensor like an output that a model leaves on the device, perhaps not written yet. */
  private Tensor onDevice(Tensor tensor) {
    int bytes = tensor.sizeBytes();
    Lease lease = pinned.acquire(bytes);
    uploads.add(lease);
    lease.buffer().put(0, tensor.data(), 0, bytes);
    ResidentBytes there = residents.tryKeep(lease.address(), bytes, upload);
    return Tensor.late(tensor.name(), tensor.type(), tensor.shape(), there);
  }

  private static Step crop(int width, int height) {
    return step("crop", width, height);
  }

  private static Step step(String name, int width, int height) {
    return Steps.onClassPath()
        .create(
            "conveyor." + name,
            new StepSettings(0, Map.of("width", "" + width, "height", "" + height)));
  }

  /** Runs a step whose output may stay. */
  private Tensor cut(Step step, Tensor... inputs) {
    return new StepResources(
            memory,
            Long.MAX_VALUE,
            (where, output) -> where.equals(DEVICE) && output.equals("image"))
        .run(step, List.of(inputs))
        .get(0);
  }

  private Tensor cutOnHost(Step step, Tensor... inputs) {
    return new StepResources(memory, Long.MAX_VALUE).run(step, List.of(inputs)).get(0);
  }

  private static byte[] bytes(Tensor tensor) {
    byte[] bytes = new byte[tensor.sizeBytes()];
    tensor.data().get(0, bytes);
    return bytes;
  }

  private float[] anyBox(int width, int height) {
    float left = (float) random.nextDouble(-width, width - 0.01);
    float top = (float) random.nextDouble(-height, height - 0.01);
    return new float[] {
      left,
      top,
      (float) random.nextDouble(Math.max(0, left) + 0.01, 2.0 * width),
      (float) random.nextDouble(Math.max(0, top) + 0.01, 2.0 * height)
    };
  }

  @ParameterizedTest
  @CsvSource({"1,1", "3,5", "8,8", "30,20", "33,100", "257,63"})
  void shouldGiveTheNumbersOfTheHost(int width, int height) {
    for (DataType type : List.of(DataType.UINT8, DataType.FP32)) {
      for (int planes : new int[] {1, 3}) {
        for (int[] size : new int[][] {{1, 1}, {7, 13}, {40, 24}}) {
          Step step = crop(size[0], size[1]);
          Tensor image = image(type, 2, planes, width, height);
          float[] first = anyBox(width, height);
          float[] second = anyBox(width, height);
          float[] both = Arrays.copyOf(first, 8);
          System.arraycopy(second, 0, both, 4, 4);
          try (Tensor there = onDevice(image);
              Tensor cut = cut(step, there, boxes(both));
              Tensor expected = cutOnHost(step, image, boxes(both))) {
            assertThat(cut.isOnDevice()).isTrue();
            assertThat(cut.shape()).isEqualTo(expected.shape());
            assertThat(bytes(cut)).isEqualTo(bytes(expected));
          }
        }
      }
    }
    assertNothingLeft();
  }

  @ParameterizedTest
  @EnumSource(names = {"UINT8", "FP32"})
  void shouldResizeWholeImagesToo(DataType type) {
    Step step = step("resize", 5, 30);
    Tensor image = image(type, 3, 3, WIDTH, HEIGHT);
    try (Tensor there = onDevice(image);
        Tensor small = cut(step, there);
        Tensor expected = cutOnHost(step, image)) {
      assertThat(small.isOnDevice()).isTrue();
      assertThat(bytes(small)).isEqualTo(bytes(expected));
    }
    assertNothingLeft();
  }

  @Test
  void shouldCutOutOfRowsAndOutOfCropsWithoutTheHost() {
    Tensor image = image(DataType.UINT8, 3, 1, WIDTH, HEIGHT);
    Tensor there = onDevice(image);
    Tensor row = Rows.of(there).tryShare(2);
    there.close();
    Tensor cut = cut(crop(6, 5), row, boxes(2, 1, 11, 8));
    row.close();
    Tensor again = cut(crop(3, 2), cut, boxes(0, 0, 4, 4));
    cut.close();
    assertThat(simulator.figure(0, Figure.TO_HOST_BYTES)).isZero();
    assertThat(residents.lent()).as("the crop of the crop").isEqualTo(1);
    try (Tensor rowOnHost = Rows.of(image).tryShare(2);
        Tensor first = cutOnHost(crop(6, 5), rowOnHost, boxes(2, 1, 11, 8));
        Tensor second = cutOnHost(crop(3, 2), first, boxes(0, 0, 4, 4))) {
      assertThat(bytes(again)).isEqualTo(bytes(second));
    }
    again.close();
    assertNothingLeft();
  }

  private int wrongCrops(int count) {
    int wrong = 0;
    for (int i = 0; i < count; i++) {
      Tensor image = image(DataType.FP32, 1, 3, WIDTH, HEIGHT);
      float[] box = anyBox(WIDTH, HEIGHT);
      Tensor there = onDevice(image);
      Tensor cut = cut(crop(6, 5), there, boxes(box));
      there.close(); // Before the device has got there.
      try (Tensor expected = cutOnHost(crop(6, 5), image, boxes(box))) {
        wrong += Arrays.equals(bytes(cut), bytes(expected)) ? 0 : 1;
      }
      cut.close();
    }
    return wrong;
  }

  @Test
  void shouldWaitForWhatIsWrittenLate() {
    for (int seed = 1; seed <= 8; seed++) {
      begin(ADVERSE + seed);
      assertThat(wrongCrops(20)).isZero();
      assertNothingLeft();
    }
  }

  @Test
  void shouldBeSeenWhenACropDoesNotWaitForItsImage() {
    for (int seed = 1; seed <= 8; seed++) {
      begin(ADVERSE + seed);
      poolOn(DroppedCall.in(simulator.cuda(), "waitFor", 1, 0));
      assertThat(wrongCrops(20)).as("seed %d", seed).isPositive();
    }
  }

  /** Images that are there and are closed while crops, which stay open, are cut out of them. */
  private void closeImagesAtOnce() {
    List<Tensor> crops = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      Tensor there = onDevice(image(DataType.UINT8, 1, 1, WIDTH, HEIGHT));
      simulator.cuda().awaitStream(upload);
      crops.add(cut(crop(6, 5), there, boxes(1, 1, 5, 6)));
      there.close();
    }
    crops.forEach(Tensor::close);
  }

  @Test
  void shouldFreeAnImageOnlyWhenItsCropsAreCut() {
    for (int seed = 1; seed <= 8; seed++) {
      begin("latency_ns=1000000 seed=" + seed);
      closeImagesAtOnce();
      assertNothingLeft();
    }
  }

  @Test
  void shouldBeSeenWhenAnImageIsFreedBeforeItsCropsAreCut() {
    List<String> violations = new ArrayList<>();
    for (int seed = 1; seed <= 8; seed++) {
      begin("latency_ns=1000000 seed=" + seed);
      poolOn(DroppedCall.in(simulator.cuda(), "isComplete", 1, 0));
      closeImagesAtOnce();
      giveBackUploads();
      residents.close();
      violations.add(simulator.violations());
    }
    assertThat(violations).anyMatch(found -> found.contains("after free"));
  }

  /** Cuts twice, and says how many bytes came to the host for it. */
  private long bytesToHost(int onDevice) {
    Tensor image = image(DataType.UINT8, 1, 3, WIDTH, HEIGHT);
    try (Tensor there = onDevice(image);
        Tensor one = cut(crop(6, 5), there, boxes(1, 1, 5, 6));
        Tensor two = cut(crop(6, 5), there, boxes(2, 0, 9, 6))) {
      final long bytes = simulator.figure(0, Figure.TO_HOST_BYTES);
      assertThat((one.isOnDevice() ? 1 : 0) + (two.isOnDevice() ? 1 : 0)).isEqualTo(onDevice);
      try (Tensor first = cutOnHost(crop(6, 5), image, boxes(1, 1, 5, 6));
          Tensor second = cutOnHost(crop(6, 5), image, boxes(2, 0, 9, 6))) {
        assertThat(bytes(one)).isEqualTo(bytes(first));
        assertThat(bytes(two)).isEqualTo(bytes(second));
      }
      return bytes;
    }
  }

  @Test
  void shouldCopyTheImageOnceWhereTheDeviceRefusesTheKernel() {
    simulator.inject("cuModuleLoadData", 0, 200, Fault.RETURNED);
    assertThat(bytesToHost(0)).isEqualTo(3 * WIDTH * HEIGHT);
    assertThat(residents.pixels().isRefused()).isTrue();
    assertNothingLeft();
  }

  @Test
  void shouldCutOnTheHostWhereTheDeviceHasNoRoom() {
    simulator.inject("cudaMallocFromPoolAsync", 1, 2, Fault.RETURNED);
    assertThat(bytesToHost(1)).isEqualTo(3 * WIDTH * HEIGHT);
    assertThat(residents.pixels().isRefused()).isFalse();
    assertNothingLeft();
  }

  @Test
  void shouldTryAgainAfterTheDeviceHadNoMemoryForTheKernel() {
    simulator.inject("cuModuleLoadData", 0, 2, Fault.RETURNED);
    assertThat(bytesToHost(1)).isEqualTo(3 * WIDTH * HEIGHT);
    assertThat(residents.pixels().isRefused()).isFalse();
    assertNothingLeft();
  }

  @Test
  void shouldCutOnTheHostWhatCannotBeLaunched() {
    simulator.inject("cuLaunchKernel", 1, 701, Fault.RETURNED);
    assertThat(bytesToHost(1)).isEqualTo(3 * WIDTH * HEIGHT);
    assertNothingLeft();
  }

  @Test
  void shouldCutOnTheHostWhatIsReadThere() {
    Tensor image = image(DataType.UINT8, 1, 3, WIDTH, HEIGHT);
    try (Tensor there = onDevice(image);
        Tensor cut = cutOnHost(crop(6, 5), there, boxes(1, 1, 5, 6));
        Tensor expected = cutOnHost(crop(6, 5), image, boxes(1, 1, 5, 6))) {
      assertThat(cut.isOnDevice()).isFalse();
      assertThat(bytes(cut)).isEqualTo(bytes(expected));
    }
    assertNothingLeft();
  }

  @Test
  void shouldRefuseBoxesAsTheHostDoes() {
    try (Tensor there = onDevice(image(DataType.UINT8, 1, 3, WIDTH, HEIGHT))) {
      assertThatThrownBy(() -> cut(crop(6, 5), there, boxes(5, 5, 5, 8)))
          .isInstanceOf(InferenceException.class)
          .hasMessageContaining("box 0 has no area");
      assertThatThrownBy(() -> cut(crop(6, 5), there, boxes(0, 0, Float.NaN, 8)))
          .isInstanceOf(InferenceException.class)
          .hasMessageContaining("box 0 has no area");
    }
    assertNothingLeft();
  }

  @Test
  void shouldNotWaitForACropOfWhatIsNeverWritten() {
    simulator.inject("cudaMemcpyAsync", 0, 0, Fault.HANGING);
    Tensor there = onDevice(image(DataType.UINT8, 1, 3, WIDTH, HEIGHT));
    Tensor cut = cut(crop(6, 5), there, boxes(1, 1, 5, 6));
    cut(crop(2, 2), cut, boxes(1, 1, 5, 6)).close();
    cut.close();
    there.close();
    assertThat(residents.lent()).isZero();
    residents.close();
    assertThat(device.holders()).containsKey("GPU0/between steps");
    assertThat(simulator.violations()).isEmpty();
  }

  @Test
  void shouldFailOnALostDevice() {
    Tensor there = onDevice(image(DataType.UINT8, 1, 3, WIDTH, HEIGHT));
    simulator.cuda().awaitStream(upload);
    simulator.inject("cuLaunchKernel", 0, 719, Fault.STICKY);
    assertThatThrownBy(() -> cut(crop(6, 5), there, boxes(1, 1, 5, 6)))
        .isInstanceOf(InferenceException.class)
        .hasMessageContaining("719");
    there.close();
    residents.close();
    uploads.forEach(Lease::close);
    pinned.close();
    assertThat(device.reservedBytes() + host.reservedBytes()).isZero();
    assertThat(simulator.violations()).isEmpty();
  }
}
