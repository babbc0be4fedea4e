package dev.conveyor.models.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.CudaException;
import dev.conveyor.memory.cuda.DevicePool;
import dev.conveyor.memory.cuda.JpegDecoder;
import dev.conveyor.memory.cuda.PinnedAllocator;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Fault;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.models.BytesTensors;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.backend.BatchRequest;
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
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageWriteParam;
import javax.imageio.ImageWriter;
import javax.imageio.stream.ImageOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The kernel is the one that GPUs run, compiled as C; what decodes is OpenCV. */
class DeviceImagesTest {

  private static final long MIB = 1 << 20;
  private static final String ADVERSE = "jitter_percent=500 latency_ns=30000 copy_ns=5000 seed=";
  private static final int[][] SOURCES = {
    {1, 1}, {3, 5}, {8, 8}, {30, 20}, {33, 100}, {64, 48}, {61, 7}, {257, 63}, {320, 240}
  };
  private static final int[][] TARGETS = {{32, 24}, {17, 31}, {64, 48}};

  private CudaSimulator simulator;
  private Cuda cuda;
  private MemoryBudget budget;
  private BufferPool pinned;

  @BeforeEach
  void start() {
    simulator = Simulators.start(ADVERSE + 1);
    simulator.decodeJpegs(new HostJpegs());
    cuda = simulator.cuda();
    budget = new MemoryBudget("GPU0", 256 * MIB);
    pinned =
        new BufferPool(
            new PinnedAllocator(cuda, new MemoryBudget("host", 64 * MIB), "pinned"), 16 * MIB);
  }

  private static Preprocessing config(
      Mode mode, int width, int height, Color color, Layout layout, DataType type, boolean norm) {
    int channels = color.channels();
    return new Preprocessing(
        "image",
        mode,
        height,
        width,
        color,
        layout,
        type,
        norm ? List.of(123.7, 116.3, 103.5).subList(0, channels) : List.of(),
        norm ? List.of(0.5, 0.25, 1.5).subList(0, channels) : List.of(),
        114);
  }

  private static byte[] jpeg(int width, int height, boolean progressive) {
    BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    SplittableRandom random = new SplittableRandom(width * 1000L + height);
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        image.setRGB(x, y, random.nextInt(1 << 24));
      }
    }
    ImageIO.setUseCache(false);
    ImageWriter writer = ImageIO.getImageWritersByFormatName("jpeg").next();
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ImageOutputStream out = ImageIO.createImageOutputStream(bytes)) {
      writer.setOutput(out);
      ImageWriteParam param = writer.getDefaultWriteParam();
      if (progressive) {
        param.setProgressiveMode(ImageWriteParam.MODE_DEFAULT);
      }
      writer.write(null, new IIOImage(image, null, null), param);
    } catch (IOException e) {
      throw new AssertionError(e);
    } finally {
      writer.dispose();
    }
    return bytes.toByteArray();
  }

  private static Tensor encoded(byte[]... images) {
    return BytesTensors.of("image", Shape.of(images.length), List.of(images));
  }

  /** Copies requests to a slab as a pipeline does, and returns what is there then. */
  private ByteBuffer onDevice(
      Preprocessing config, int items, List<Tensor> tensors, boolean decodes) {
    boolean planar = config.layout() == Layout.NCHW;
    int channels = config.color().channels();
    Shape shape =
        planar
            ? Shape.of(-1, channels, config.height(), config.width())
            : Shape.of(-1, config.height(), config.width(), channels);
    DeviceLayout layout =
        new DeviceLayout(
            List.of(new TensorSpec("image", config.dataType(), shape)),
            List.of(new TensorSpec("out", DataType.FP32, Shape.of(-1, 1))),
            items);
    Releases releases = new Releases();
    try (DevicePool pool = new DevicePool(cuda, 0, 128 * MIB, budget, "slabs")) {
      long stream = cuda.newStream(0);
      releases.add(() -> cuda.destroyStream(stream));
      releases.add(() -> cuda.awaitStream(stream));
      BlockAllocator staging =
          new PinnedAllocator(cuda, new MemoryBudget("staging", 64 * MIB), "staging");
      Slot slot = new Slot(0, cuda, layout, pool, stream, staging, releases);
      DeviceImages images = decodes ? new DeviceImages(cuda, 0, pool, stream) : null;
      if (images != null) {
        releases.add(images::close);
        releases.add(() -> cuda.awaitStream(stream));
      }
      slot.items = items;
      slot.requests = tensors.stream().map(Request::new).toList();
      new InputCopies(cuda, images, null).enqueue(slot, 0, stream);
      int bytes = Math.toIntExact(layout.inputItemBytes(0) * items);
      long host = cuda.allocatePinned(bytes);
      cuda.copyToHost(host, slot.input(0), bytes, stream);
      cuda.awaitStream(stream);
      ByteBuffer copy = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
      copy.put(new com.sun.jna.Pointer(host).getByteArray(0, bytes)).flip();
      cuda.freePinned(host);
      releases.close();
      tensors.forEach(Tensor::close);
      return copy;
    }
  }

  private record Request(Tensor tensor) implements BatchRequest {
    @Override
    public int batchSize() {
      return (int) tensor.shape().dim(0);
    }

    @Override
    public List<Tensor> inputs() {
      return List.of(tensor);
    }
  }

  /** Returns the largest difference in levels of 255, before normalisation. */
  private static double difference(Preprocessing config, ByteBuffer a, ByteBuffer b) {
    double worst = 0;
    boolean floats = config.dataType() == DataType.FP32;
    int values = b.limit() / (floats ? Float.BYTES : 1);
    int channels = config.color().channels();
    int plane = config.width() * config.height();
    for (int i = 0; i < values; i++) {
      int channel = config.layout() == Layout.NCHW ? i / plane % channels : i % channels;
      double scale = config.scale().isEmpty() ? 1 : config.scale().get(channel);
      double d =
          floats
              ? Math.abs(a.getFloat(4 * i) - b.getFloat(4 * i)) / scale
              : Math.abs((a.get(i) & 0xFF) - (b.get(i) & 0xFF));
      // What was rounded to 8 bits after normalisation says no more about the levels before.
      worst = Math.max(worst, floats ? d : d / Math.max(1, Math.ceil(scale)));
    }
    return worst;
  }

  @ParameterizedTest
  @EnumSource(Mode.class)
  void shouldMakeTheSameNumbersAsTheHostWithinALevel(Mode mode) {
    List<String> different = new ArrayList<>();
    for (int[] target : TARGETS) {
      for (Color color : Color.values()) {
        for (Layout layout : Layout.values()) {
          for (DataType type : List.of(DataType.FP32, DataType.UINT8)) {
            boolean norm = (target[0] % 2 == 0) == (layout == Layout.NCHW);
            Preprocessing config = config(mode, target[0], target[1], color, layout, type, norm);
            byte[][] images = new byte[SOURCES.length][];
            for (int i = 0; i < images.length; i++) {
              images[i] = jpeg(SOURCES[i][0], SOURCES[i][1], false);
            }
            ImageTensors tensors =
                new ImageTensors(new ImagePreprocessor(config, 1_000_000), pinned);
            try (Tensor host = tensors.preprocess(encoded(images), images.length)) {
              Tensor late = tensors.fitLate(encoded(images), images.length).tensor();
              assertThat(late.sizeBytes()).isEqualTo(host.sizeBytes());
              ByteBuffer made = onDevice(config, images.length, List.of(late), true);
              double worst = difference(config, made, host.data());
              if (worst > 1.001) {
                different.add("%s: %f levels".formatted(config, worst));
              }
            }
          }
        }
      }
    }
    assertThat(different).isEmpty();
    assertThat(simulator.figure(0, Figure.KERNELS)).isEqualTo(3L * 3 * 2 * 2 * SOURCES.length);
    finish();
  }

  @Test
  void shouldHaveTheHostMakeWhatTheDeviceDoesNotDecode() {
    Preprocessing config =
        config(Mode.LETTERBOX, 32, 24, Color.RGB, Layout.NCHW, DataType.FP32, true);
    ImageTensors tensors = new ImageTensors(new ImagePreprocessor(config, 1_000_000), pinned);
    byte[][] images = {
      jpeg(30, 20, false), jpeg(30, 20, true), jpeg(64, 48, false), jpeg(9, 9, true)
    };
    Tensor host = tensors.preprocess(encoded(images), 4);
    Tensor late = tensors.fitLate(encoded(images), 4).tensor();
    Tensor ready = tensors.preprocess(encoded(images[0]), 4);

    ByteBuffer made = onDevice(config, 5, List.of(late, ready), true);

    assertThat(simulator.figure(0, Figure.KERNELS)).as("the baseline ones").isEqualTo(2);
    assertThat(difference(config, made, host.data())).isLessThan(1.001);
    int image = host.sizeBytes() / 4;
    assertThat(made.slice(4 * image, image)).isEqualTo(host.data().slice(0, image));
    host.close();
    finish();
  }

  /** Two images as the host makes them, and as they are left to the device. */
  private record Images(Tensor host, Tensor late) {}

  private Images images(Preprocessing config) {
    ImageTensors tensors = new ImageTensors(new ImagePreprocessor(config, 1_000_000), pinned);
    byte[][] images = {jpeg(30, 20, false), jpeg(64, 48, false)};
    Tensor host = tensors.preprocess(encoded(images), images.length);
    return new Images(host, tensors.fitLate(encoded(images), images.length).tensor());
  }

  @Test
  void shouldHaveTheHostMakeWhatTheDecoderRefusesWhenItIsAsked() {
    Preprocessing config =
        config(Mode.RESIZE, 32, 24, Color.BGR, Layout.NHWC, DataType.UINT8, false);
    simulator.decodeJpegs((data, bytes, channels, pixels, room) -> 1);
    Images images = images(config);

    ByteBuffer made = onDevice(config, 2, List.of(images.late()), true);

    assertThat(simulator.figure(0, Figure.KERNELS)).isZero();
    assertThat(made).isEqualTo(images.host().data());
    images.host().close();
    finish();
  }

  @Test
  void shouldHaveTheHostMakeWhatTheDeviceHasNoRoomFor() {
    Preprocessing config =
        config(Mode.RESIZE, 32, 24, Color.RGB, Layout.NCHW, DataType.FP32, false);
    Images images = images(config);
    // After the slab and the library's own: the pixels of the first image, the scratch of the
    // second.
    simulator.inject("cudaMallocFromPoolAsync", 2, 2, Fault.RETURNED);
    // A call that one fault answers is not counted by the other.
    simulator.inject("cudaMallocFromPoolAsync", 3, 2, Fault.RETURNED);

    ByteBuffer made = onDevice(config, 2, List.of(images.late()), true);

    assertThat(simulator.figure(0, Figure.KERNELS)).isZero();
    assertThat(made).isEqualTo(images.host().data());
    images.host().close();
    finish();
  }

  @Test
  void shouldMakeThemOnTheHostForInstancesThatAreNotOnAGpu() {
    Preprocessing config =
        config(Mode.RESIZE, 32, 24, Color.RGB, Layout.NCHW, DataType.FP32, false);
    Images images = images(config);
    Tensor share = images.late().tryShare();

    ByteBuffer made = onDevice(config, 2, List.of(images.late()), false);

    assertThat(made).isEqualTo(images.host().data());
    assertThat(share).isNotNull();
    assertThat(share.data()).isEqualTo(images.host().data());
    share.close();
    assertThat(images.late().tryShare()).as("of a closed one").isNull();
    images.host().close();
    finish();
  }

  /** The header was read twice, by us and by the library: what is written must fit what we read. */
  @Test
  void shouldNotDecodeIntoRoomThatWasMadeForAnotherSize() {
    byte[] image = jpeg(64, 48, false);
    ByteBuffer encoded = ByteBuffer.allocateDirect(image.length).put(image).flip();
    try (DevicePool pool = new DevicePool(cuda, 0, 16 * MIB, budget, "images")) {
      long stream = cuda.newStream(0);
      long target = pool.allocate(63 * 48 * 3, stream);
      try (JpegDecoder decoder = new JpegDecoder(cuda, pool, stream)) {
        assertThat(decoder.decode(encoded, 63, 48, 3, target, 63 * 3)).contains("another size");
        assertThat(decoder.decode(encoded, 64, 47, 3, target, 64 * 3)).contains("another size");
        cuda.awaitStream(stream);
      }
      pool.free(target, stream);
      cuda.awaitStream(stream);
      cuda.destroyStream(stream);
    }
    finish();
  }

  @ParameterizedTest
  @CsvSource({"cuModuleLoadData, 0, 200", "cudaMallocFromPoolAsync, 0, 2"})
  void shouldLeaveNothingBehindWhenItCannotBeMade(String call, int number, int error) {
    try (DevicePool pool = new DevicePool(cuda, 0, 16 * MIB, budget, "images")) {
      long stream = cuda.newStream(0);
      simulator.inject(call, number, error, Fault.RETURNED);

      assertThatThrownBy(() -> new DeviceImages(cuda, 0, pool, stream))
          .isInstanceOfSatisfying(
              CudaException.class, e -> assertThat(e.isSticky()).as(e.getMessage()).isFalse());

      cuda.awaitStream(stream);
      cuda.destroyStream(stream);
    }
    finish();
  }

  @Test
  void shouldSayThatTheCompilerDoesNotKnowTheDevice() {
    assertThat(DeviceImages.unavailable(cuda, 0)).isEmpty();
    simulator.reset("capability=130");
    assertThat(DeviceImages.unavailable(cuda, 0)).contains("compiled", "gpu-architecture");
  }

  /** Everything came back: device memory, leases, modules. */
  private void finish() {
    assertThat(budget.reservedBytes()).isZero();
    assertThat(pinned.leasedBytes()).isZero();
    pinned.close();
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }
}
