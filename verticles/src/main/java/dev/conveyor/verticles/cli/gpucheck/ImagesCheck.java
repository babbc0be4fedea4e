package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.memory.Block;
import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.DevicePool;
import dev.conveyor.models.BytesTensors;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.config.Preprocessing;
import dev.conveyor.models.config.Preprocessing.Color;
import dev.conveyor.models.config.Preprocessing.Layout;
import dev.conveyor.models.config.Preprocessing.Mode;
import dev.conveyor.models.device.DeviceImages;
import dev.conveyor.models.image.DeviceJpeg;
import dev.conveyor.models.image.ImagePreprocessor;
import dev.conveyor.models.image.ImageTensors;
import dev.conveyor.models.image.LateImages;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.stream.Stream;

/** That photos become the same numbers on the device as on the host, and how fast. */
final class ImagesCheck implements Check {

  private static final int SIDE = 224;
  private static final int PAD = 114;
  private static final int BATCH = 8;
  private static final int ROUNDS = 5;
  private static final long MAX_PIXELS = 1L << 26;
  private static final long POOL_BYTES = 256L << 20;
  private static final double MOST_LEVELS = 1.001;

  @Override
  public String name() {
    return "images";
  }

  @Override
  public String what() {
    return "photos that nvJPEG and our kernel make into tensors differ by 1/255 at most from the"
        + " CPU's";
  }

  @Override
  public Finding run(CheckSite site) throws Exception {
    String unavailable = DeviceImages.unavailable(site.cuda(), site.gpu().ordinal());
    if (!unavailable.isEmpty()) {
      return Finding.skipped(unavailable);
    }
    byte[][] photos = photos(Subject.photos(site));
    Compared all = new Compared();
    try (BufferPool host = new BufferPool(BlockAllocator.host(), POOL_BYTES)) {
      for (Mode mode : List.of(Mode.RESIZE, Mode.LETTERBOX)) {
        for (Color color : List.of(Color.RGB, Color.GRAY)) {
          Preprocessing config =
              new Preprocessing(
                  "image",
                  mode,
                  SIDE,
                  SIDE,
                  color,
                  Layout.NCHW,
                  DataType.FP32,
                  List.of(),
                  List.of(),
                  PAD);
          ImageTensors tensors = new ImageTensors(new ImagePreprocessor(config, MAX_PIXELS), host);
          for (int from = 0; from < photos.length; from += BATCH) {
            int to = Math.min(from + BATCH, photos.length);
            compare(site, tensors, Arrays.copyOfRange(photos, from, to), all);
          }
        }
      }
    }
    String figure =
        String.format(
            Locale.ROOT,
            "worst %.2f levels of 255, %.4f %% of the values by more than one; %d of %d photos"
                + " decoded on the device, %,.0f/s (CPU, one thread: %,.0f/s)",
            all.worst,
            100.0 * all.beyond / Math.max(1, all.values),
            all.decoded,
            all.photos,
            all.perSecond(all.deviceNs * 1.0 / ROUNDS),
            all.perSecond((double) all.hostNs));
    String reason = all.decoded < all.photos ? "photos were refused" : "the numbers differ";
    return Finding.of(all.worst <= MOST_LEVELS && all.decoded == all.photos, figure, reason)
        .with("worst_levels", all.worst)
        .with("device_images_per_second", all.perSecond(all.deviceNs * 1.0 / ROUNDS))
        .with("host_images_per_second", all.perSecond((double) all.hostNs));
  }

  /** Returns the JPEGs of a directory, in the order of their names. */
  static byte[][] photos(Path directory) throws IOException {
    List<byte[]> photos = new ArrayList<>();
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : files.filter(f -> f.toString().endsWith(".jpg")).sorted().toList()) {
        photos.add(Files.readAllBytes(file));
      }
    }
    return photos.toArray(new byte[0][]);
  }

  /** What was found so far. */
  private static final class Compared {
    double worst;
    long beyond;
    long values;
    int decoded;
    int photos;
    long hostNs;
    long deviceNs;

    double perSecond(double ns) {
      return photos * 1e9 / ns;
    }
  }

  private static void compare(CheckSite site, ImageTensors tensors, byte[][] photos, Compared all) {
    Cuda cuda = site.cuda();
    long beginNs = System.nanoTime();
    Tensor expected = tensors.preprocess(encoded(photos), photos.length);
    all.hostNs += System.nanoTime() - beginNs;
    Tensor late = tensors.fitLate(encoded(photos), photos.length).tensor();
    try (Scope scope = new Scope(site)) {
      long stream = scope.stream();
      DevicePool pool = scope.pool(POOL_BYTES);
      long target = scope.memory(pool, late.sizeBytes(), stream);
      DeviceImages images = new DeviceImages(cuda, site.gpu().ordinal(), pool, stream);
      scope.add(() -> cuda.awaitStream(stream));
      scope.add(images::close);
      scope.add(() -> cuda.awaitStream(stream));
      LateImages source = (LateImages) Objects.requireNonNull(late.lateBytes());
      int decoded = enqueue(images, source, target); // The first one allocates.
      cuda.awaitStream(stream);
      beginNs = System.nanoTime();
      for (int round = 0; round < ROUNDS; round++) {
        int unused = enqueue(images, source, target);
      }
      cuda.awaitStream(stream);
      all.deviceNs += System.nanoTime() - beginNs;
      all.decoded += decoded;
      all.photos += photos.length;
      Block copy = scope.pinned(late.sizeBytes());
      cuda.copyToHost(copy.address(), target, late.sizeBytes(), stream);
      cuda.awaitStream(stream);
      compare(copy.buffer(), expected.data(), all);
    } finally {
      expected.close();
      late.close();
    }
  }

  private static int enqueue(DeviceImages images, LateImages source, long target) {
    int decoded = 0;
    for (int i = 0; i < source.count(); i++) {
      DeviceJpeg jpeg = source.jpeg(i);
      boolean there = jpeg != null && images.enqueue(jpeg, target + (long) i * source.imageBytes());
      decoded += there ? 1 : 0;
    }
    return decoded;
  }

  private static void compare(ByteBuffer found, ByteBuffer expected, Compared all) {
    for (int at = 0; at < expected.limit(); at += Float.BYTES) {
      double difference = Math.abs(found.getFloat(at) - expected.getFloat(at));
      all.worst = Math.max(all.worst, difference);
      all.beyond += difference > MOST_LEVELS ? 1 : 0;
      all.values++;
    }
  }

  private static Tensor encoded(byte[]... photos) {
    return BytesTensors.of("image", Shape.of(photos.length), List.of(photos));
  }
}
