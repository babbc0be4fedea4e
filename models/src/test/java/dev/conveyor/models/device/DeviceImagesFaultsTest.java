package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.memory.cuda.Gpus;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Fault;
import dev.conveyor.memory.cuda.sim.TestKernel;
import dev.conveyor.models.BytesTensors;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.config.Preprocessing;
import dev.conveyor.models.config.Preprocessing.Color;
import dev.conveyor.models.config.Preprocessing.Layout;
import dev.conveyor.models.config.Preprocessing.Mode;
import dev.conveyor.models.device.sim.HostJpegs;
import dev.conveyor.models.image.ImagePreprocessor;
import dev.conveyor.models.image.ImageTensors;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * An instance that decodes images, and every call of CUDA that can be refused, one after another.
 */
class DeviceImagesFaultsTest {

  private static final long MIB = 1 << 20;
  private static final int SIDE = 8;
  private static final int OUT_WORDS = 8;
  private static final int CALLS = 14;
  private static final int RUNS = 3;
  private static final Preprocessing CONFIG =
      new Preprocessing(
          "image",
          Mode.LETTERBOX,
          SIDE,
          SIDE,
          Color.RGB,
          Layout.NCHW,
          DataType.FP32,
          List.of(),
          List.of(),
          7);

  /** What became of the runs. */
  private int answered;

  private int failed;
  private int refused;

  /** Of one colour, so that they become the same numbers on either side. */
  private static byte[] jpeg(int rgb) {
    BufferedImage image = new BufferedImage(40, 20, BufferedImage.TYPE_INT_RGB);
    for (int i = 0; i < 40 * 20; i++) {
      image.setRGB(i % 40, i / 40, rgb);
    }
    ImageIO.setUseCache(false);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try {
      assertThat(ImageIO.write(image, "jpg", bytes)).isTrue();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    return bytes.toByteArray();
  }

  @ParameterizedTest
  @CsvSource({
    "cudaMemPoolCreate, 2",
    "cudaMallocFromPoolAsync, 2",
    "cudaMemPoolGetAttribute, 1",
    "cudaStreamCreateWithPriority, 2",
    "cudaEventCreateWithFlags, 2",
    "cudaHostAlloc, 2",
    "cuModuleLoadData, 200",
    "cuModuleGetFunction, 500",
    "cuLaunchKernel, 1",
    "nvjpegDecode, 1",
    "cudaMemcpyAsync, 1",
    "cudaEventRecord, 1",
    "cudaStreamWaitEvent, 1",
    "cudaEventSynchronize, 1"
  })
  void shouldLoseNothingWhicheverCallIsRefused(String call, int error) {
    Tensor first = null;
    for (int n = 0; n < CALLS; n++) {
      first = live(call, n, error, first);
    }
    assertThat(answered + failed + RUNS * refused).isEqualTo(RUNS * CALLS);
    assertThat(answered).as("%s: %d runs failed, %d refused", call, failed, refused).isPositive();
  }

  /** A whole life of an instance in which a call is refused; returns what was answered first. */
  private Tensor live(String call, int nth, int error, Tensor expected) {
    CudaSimulator simulator = Simulators.start("real_time=1 copy_ns=1000 jitter_percent=200");
    simulator.decodeJpegs(new HostJpegs());
    MemoryBudget device = new MemoryBudget("gpu-0", 64 * MIB);
    MemoryBudget host = new MemoryBudget("host", 64 * MIB);
    BufferPool pinned =
        new BufferPool(new PinnedAllocator(simulator.cuda(), host, "pinned"), 16 * MIB);
    GpuPlace place =
        new GpuPlace(
            simulator.cuda(),
            Gpus.find(0).usable().get(0),
            device,
            host,
            pinned,
            false,
            (which, isolation) -> {});
    simulator.inject(call, nth, error, Fault.RETURNED);
    List<Tensor> answers = new ArrayList<>();
    try {
      LaneGroup group =
          new LaneGroup(
              place,
              place.budget(),
              new Model(),
              new DeviceLayout(new Model().inputs(), new Model().outputs(), 2),
              2,
              0,
              "faults",
              true,
              () -> {});
      try (Lane lane = group.newLane(2)) {
        for (int i = 0; i < RUNS; i++) {
          run(lane, new ImageTensors(new ImagePreprocessor(CONFIG, 1_000_000), pinned), answers);
        }
      }
    } catch (CudaException e) {
      assertThat(e.isSticky()).as(e.getMessage()).isFalse();
      refused++;
    }
    simulator.forgetFaults();
    Tensor first = expected;
    for (Tensor answer : answers) {
      if (first == null) {
        first = Tensor.of("first", answer.type(), answer.shape(), copy(answer));
      }
      assertThat(answer.data()).as("%s %d", call, nth).isEqualTo(first.data());
      answer.close();
    }
    assertThat(place.lost()).isNull();
    assertThat(pinned.leasedBytes()).as("%s %d", call, nth).isZero();
    pinned.close();
    assertThat(device.reservedBytes() + host.reservedBytes()).as("%s %d", call, nth).isZero();
    assertThat(simulator.violationsAndLeaks()).as("%s %d", call, nth).isEmpty();
    return first;
  }

  private static ByteBuffer copy(Tensor answer) {
    byte[] bytes = new byte[answer.sizeBytes()];
    answer.data().get(0, bytes);
    return ByteBuffer.wrap(bytes);
  }

  private void run(Lane lane, ImageTensors tensors, List<Tensor> answers) {
    Tensor encoded = BytesTensors.of("image", Shape.of(2), List.of(jpeg(0xFF0000), jpeg(0x808080)));
    try (Tensor late = tensors.fitLate(encoded, 2).tensor()) {
      answers.addAll(lane.execute(List.of(new Request(late))).outputs().get(0));
      answered++;
    } catch (ExecutionException e) {
      assertThat(e.kind()).as(e.getMessage()).isNotEqualTo(ExecutionException.Kind.INSTANCE_LOST);
      failed++;
    }
  }

  private record Request(Tensor tensor) implements BatchRequest {
    @Override
    public int batchSize() {
      return 2;
    }

    @Override
    public List<Tensor> inputs() {
      return List.of(tensor);
    }
  }

  /** Computes the test kernel on the pixels. */
  private static final class Model implements DeviceModel {

    @Override
    public List<TensorSpec> inputs() {
      return List.of(new TensorSpec("image", DataType.FP32, Shape.of(-1, 3, SIDE, SIDE)));
    }

    @Override
    public List<TensorSpec> outputs() {
      return List.of(new TensorSpec("out", DataType.INT32, Shape.of(-1, OUT_WORDS)));
    }

    @Override
    public long reservedBytes() {
      return 0;
    }

    @Override
    public DeviceEngine newEngine(EngineSite site) {
      return new DeviceEngine() {
        @Override
        public void enqueue(int items, DeviceBatch batch, long stream) {
          TestKernel.launch(
              stream,
              items,
              batch.input(0),
              3L * SIDE * SIDE * Float.BYTES,
              batch.output(0),
              (long) OUT_WORDS * Integer.BYTES,
              1000);
        }

        @Override
        public void close() {}
      };
    }

    @Override
    public void close() {}
  }
}
