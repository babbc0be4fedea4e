package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.memory.Block;
import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.cuda.KernelCompiler;
import dev.conveyor.models.DataType;
import dev.conveyor.models.LateBytes;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.steps.Step;
import dev.conveyor.models.steps.StepResources;
import dev.conveyor.models.steps.StepSettings;
import dev.conveyor.models.steps.Steps;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;

/** That crops of an image on the device have the same numbers as on the host, and how fast. */
final class CropsCheck implements Check {

  private static final int WIDTH = 640;
  private static final int HEIGHT = 480;
  private static final int PLANES = 3;
  private static final int SIDE = 224;
  private static final int CROPS = 32;
  private static final long MEMORY_BYTES = 256L << 20;

  /** Of levels that bytes stand for, of which floats have as many here. */
  private static final double MOST_LEVELS = 1.001;

  @Override
  public String name() {
    return "crops";
  }

  @Override
  public String what() {
    return "crops that our kernel cuts out of an image there differ by 1/255 at most from the CPU's";
  }

  @Override
  public Finding run(CheckSite site) {
    String unavailable = KernelCompiler.unavailable();
    if (!unavailable.isEmpty()) {
      return Finding.skipped(unavailable);
    }
    Compared all = new Compared();
    try (BufferPool memory = new BufferPool(BlockAllocator.host(), MEMORY_BYTES)) {
      for (DataType type : List.of(DataType.UINT8, DataType.FP32)) {
        compare(site, memory, type, all);
      }
    }
    String figure =
        String.format(
            Locale.ROOT,
            "worst %.4f levels of 255, %d of %d crops cut on the device, %,.0f/s (CPU, one thread: %,.0f/s)",
            all.worst,
            all.onDevice,
            all.crops,
            all.perSecond(all.deviceNs),
            all.perSecond(all.hostNs));
    String reason = all.onDevice < all.crops ? "the device does not cut" : "the numbers differ";
    return Finding.of(all.worst <= MOST_LEVELS && all.onDevice == all.crops, figure, reason)
        .with("worst_levels", all.worst)
        .with("device_crops_per_second", all.perSecond(all.deviceNs))
        .with("host_crops_per_second", all.perSecond(all.hostNs));
  }

  /** What was found so far. */
  private static final class Compared {
    double worst;
    int onDevice;
    int crops;
    long hostNs;
    long deviceNs;

    double perSecond(long ns) {
      return crops * 1e9 / Math.max(1, ns);
    }
  }

  private static void compare(CheckSite site, BufferPool memory, DataType type, Compared all) {
    Step step =
        Steps.onClassPath()
            .create(
                "conveyor.crop",
                new StepSettings(0, Map.of("width", "" + SIDE, "height", "" + SIDE)));
    SplittableRandom random = new SplittableRandom(1);
    List<Tensor> boxes = boxes(random);
    try (Scope scope = new Scope(site)) {
      int bytes = PLANES * HEIGHT * WIDTH * type.sizeBytes();
      Block block = scope.pinned(bytes);
      fill(block.buffer().order(ByteOrder.LITTLE_ENDIAN), type, random);
      long stream = scope.stream();
      LateBytes there = site.place().tryKeep(block.address(), bytes, stream);
      site.cuda().awaitStream(stream);
      if (there == null) {
        all.crops += CROPS;
        return;
      }
      Shape shape = Shape.of(1, PLANES, HEIGHT, WIDTH);
      Tensor onHost = Tensor.of("image", type, shape, block.buffer());
      try (Tensor onDevice = Tensor.late("image", type, shape, there)) {
        cut(step, onDevice, boxes.subList(0, 1), memory, true).forEach(Tensor::close); // Compiles.
        long beginNs = System.nanoTime();
        List<Tensor> found = cut(step, onDevice, boxes, memory, true);
        ByteBuffer unused = found.get(CROPS - 1).data(); // There, and so are those before it.
        all.deviceNs += System.nanoTime() - beginNs;
        beginNs = System.nanoTime();
        List<Tensor> expected = cut(step, onHost, boxes, memory, false);
        all.hostNs += System.nanoTime() - beginNs;
        for (int i = 0; i < CROPS; i++) {
          all.crops++;
          all.onDevice += found.get(i).isOnDevice() ? 1 : 0;
          all.worst = Math.max(all.worst, worst(found.get(i), expected.get(i)));
        }
        found.forEach(Tensor::close);
        expected.forEach(Tensor::close);
      }
    }
  }

  /** Runs the step once per box, as for the items of a request. */
  private static List<Tensor> cut(
      Step step, Tensor image, List<Tensor> boxes, BufferPool memory, boolean staying) {
    List<Tensor> crops = new ArrayList<>();
    for (Tensor box : boxes) {
      StepResources resources =
          new StepResources(memory, Long.MAX_VALUE, (device, output) -> staying);
      crops.addAll(resources.run(step, List.of(image, box)));
    }
    return crops;
  }

  private static void fill(ByteBuffer pixels, DataType type, SplittableRandom random) {
    for (int i = 0; i < PLANES * HEIGHT * WIDTH; i++) {
      if (type == DataType.UINT8) {
        pixels.put(i, (byte) random.nextInt(256));
      } else {
        pixels.putFloat(Float.BYTES * i, (float) random.nextDouble(256));
      }
    }
  }

  /** Some of them reach beyond the edges. */
  private static List<Tensor> boxes(SplittableRandom random) {
    List<Tensor> boxes = new ArrayList<>();
    for (int i = 0; i < CROPS; i++) {
      ByteBuffer corners = ByteBuffer.allocate(4 * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      float left = (float) random.nextDouble(-0.1 * WIDTH, 0.9 * WIDTH);
      float top = (float) random.nextDouble(-0.1 * HEIGHT, 0.9 * HEIGHT);
      corners.putFloat(0, left).putFloat(4, top);
      corners.putFloat(8, left + (float) random.nextDouble(0.2, 0.6) * WIDTH);
      corners.putFloat(12, top + (float) random.nextDouble(0.2, 0.6) * HEIGHT);
      boxes.add(Tensor.of("box", DataType.FP32, Shape.of(1, 4), corners));
    }
    return boxes;
  }

  private static double worst(Tensor found, Tensor expected) {
    double worst = 0;
    for (int i = 0; i < PLANES * SIDE * SIDE; i++) {
      double difference =
          found.type() == DataType.UINT8
              ? (found.data().get(i) & 0xFF) - (expected.data().get(i) & 0xFF)
              : found.data().getFloat(Float.BYTES * i) - expected.data().getFloat(Float.BYTES * i);
      worst = Math.max(worst, Math.abs(difference));
    }
    return worst;
  }
}
