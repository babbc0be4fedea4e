package dev.conveyor.verticles.bench.suite;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchRequest;
import dev.conveyor.models.backend.LoadOptions;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.config.Preprocessing;
import dev.conveyor.models.image.ImagePreprocessor;
import dev.conveyor.models.onnx.OnnxBackend;
import io.vertx.core.json.JsonObject;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import javax.imageio.ImageIO;

/**
 * An image of 8K through the demo's segmenter for 128 x 128 pixels: whether every pixel of the
 * served mask lies between what the tiles that cover it say when they are cut out and run by hand.
 *
 * <p>Not thread-safe: owned by the suite.
 */
final class TilesRow {

  private static final int WIDTH = 7680;
  private static final int HEIGHT = 4320;
  private static final int TILE = 128;
  private static final int OVERLAP = 16;
  private static final float MEAN = 127.5f;
  private static final float SCALE = 0.015686275f;

  /** Of likelihoods from 0 to 1; sums of floats in another order differ in the last digits. */
  private static final float TOLERANCE = 1e-4f;

  private final Lab lab;

  TilesRow(Lab lab) {
    this.lab = lab;
  }

  private record One(List<Tensor> inputs) implements BatchRequest {
    @Override
    public int batchSize() {
      return 1;
    }
  }

  Measured measure() throws Exception {
    Path conf = Path.of(System.getProperty("conveyor.home", "."), "conf");
    Path model = conf.resolve("models/surface_segmenter/1/model.onnx");
    TestRepository repository = lab.repository();
    repository.add(
        "segmenter",
        model,
        TestRepository.config(16, lab.cores(), 1).put("dynamic_batching", new JsonObject()));
    repository.addConfig("large", PipelineConfigs.large("segmenter", TILE, OVERLAP, MEAN, SCALE));
    byte[] photo = mosaic(conf.resolve("demo/images"));
    long startNs;
    long endNs;
    ByteBuffer served;
    try (ServerProcess server = lab.startServer(repository, List.of())) {
      startNs = System.nanoTime();
      served = server.binaryAnswer("large", "photo", photo).order(ByteOrder.LITTLE_ENDIAN);
      endNs = System.nanoTime();
    }
    if (served.remaining() != WIDTH * HEIGHT * Float.BYTES) {
      throw new CannotMeasureException("the mask has " + served.remaining() + " bytes");
    }
    float[] least = new float[WIDTH * HEIGHT];
    float[] most = new float[WIDTH * HEIGHT];
    int tiles = byHand(model, photo, least, most);
    long outside = 0;
    long defects = 0;
    for (int i = 0; i < least.length; i++) {
      float value = served.getFloat(served.position() + Float.BYTES * i);
      boolean inside = value >= least[i] - TOLERANCE && value <= most[i] + TOLERANCE;
      outside += inside ? 0 : 1;
      defects += value >= 0.5f ? 1 : 0;
    }
    return new Measured(
        outside,
        String.format(
            Locale.ROOT,
            "7680 x 4320 JPEG made of the demo's photos, %,d tiles of %d x %d, %d common to"
                + " neighbours, through the demo's segmenter; %.2f %% of the mask defective;"
                + " answered in %.1f s",
            tiles,
            TILE,
            TILE,
            OVERLAP,
            100.0 * defects / least.length,
            (endNs - startNs) / 1e9));
  }

  private static byte[] mosaic(Path photos) throws IOException {
    List<BufferedImage> images = new ArrayList<>();
    try (Stream<Path> files = Files.list(photos)) {
      for (Path file : files.filter(f -> f.toString().endsWith(".jpg")).sorted().toList()) {
        images.add(ImageIO.read(file.toFile()));
      }
    }
    BufferedImage all = new BufferedImage(WIDTH, HEIGHT, BufferedImage.TYPE_3BYTE_BGR);
    Graphics2D graphics = all.createGraphics();
    int next = 0;
    for (int y = 0; y < HEIGHT; y += images.get(0).getHeight()) {
      for (int x = 0; x < WIDTH; x += images.get(0).getWidth()) {
        graphics.drawImage(images.get(next++ % images.size()), x, y, null);
      }
    }
    graphics.dispose();
    ByteArrayOutputStream jpeg = new ByteArrayOutputStream();
    ImageIO.write(all, "jpg", jpeg);
    return jpeg.toByteArray();
  }

  /** Runs every tile and notes the least and the most that is said of a pixel. */
  private static int byHand(Path model, byte[] photo, float[] least, float[] most) {
    Arrays.fill(least, Float.POSITIVE_INFINITY);
    Arrays.fill(most, Float.NEGATIVE_INFINITY);
    ByteBuffer pixels = decode(photo);
    int tiles = 0;
    MemoryBudget budget = new MemoryBudget("CPU", Long.MAX_VALUE);
    try (LoadedModel loaded =
            new OnnxBackend().load(model, new LoadOptions("by hand", 1, budget, Map.of()));
        ModelExecutor executor = loaded.newExecutor(0)) {
      for (int top : origins(HEIGHT)) {
        for (int left : origins(WIDTH)) {
          Tensor input =
              Tensor.of("image", DataType.FP32, Shape.of(1, 3, TILE, TILE), cut(pixels, left, top));
          Tensor mask = executor.execute(List.of(new One(List.of(input)))).outputs().get(0).get(0);
          for (int i = 0; i < TILE * TILE; i++) {
            int at = (top + i / TILE) * WIDTH + left + i % TILE;
            float value = mask.data().getFloat(Float.BYTES * i);
            least[at] = Math.min(least[at], value);
            most[at] = Math.max(most[at], value);
          }
          mask.close();
          tiles++;
        }
      }
    }
    return tiles;
  }

  private static ByteBuffer decode(byte[] photo) {
    ImagePreprocessor decoder =
        new ImagePreprocessor(
            new Preprocessing(
                "photo",
                Preprocessing.Mode.RESIZE,
                HEIGHT,
                WIDTH,
                Preprocessing.Color.RGB,
                Preprocessing.Layout.NCHW,
                DataType.UINT8,
                List.of(),
                List.of(),
                0),
            (long) WIDTH * HEIGHT);
    ByteBuffer pixels = ByteBuffer.allocateDirect(decoder.outputBytesPerImage());
    decoder.process(ByteBuffer.allocateDirect(photo.length).put(photo).flip(), pixels, 0);
    return pixels;
  }

  /** Each tile {@code TILE - OVERLAP} after the one before, the last at the edge. */
  private static Set<Integer> origins(int side) {
    TreeSet<Integer> origins = new TreeSet<>();
    for (int at = 0; at < side - OVERLAP; at += TILE - OVERLAP) {
      origins.add(Math.min(at, side - TILE));
    }
    return origins;
  }

  private static ByteBuffer cut(ByteBuffer pixels, int left, int top) {
    ByteBuffer tile =
        ByteBuffer.allocateDirect(3 * TILE * TILE * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (int plane = 0; plane < 3; plane++) {
      for (int i = 0; i < TILE * TILE; i++) {
        int from = (plane * HEIGHT + top + i / TILE) * WIDTH + left + i % TILE;
        tile.putFloat(((pixels.get(from) & 0xFF) - MEAN) * SCALE);
      }
    }
    return tile.flip();
  }
}
