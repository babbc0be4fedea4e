package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.models.BytesTensors;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.device.DeviceImages;
import dev.conveyor.models.steps.Step;
import dev.conveyor.models.steps.StepResources;
import dev.conveyor.models.steps.StepSettings;
import dev.conveyor.models.steps.Steps;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** That photos which ensembles decode and normalise on the device are the numbers of the host. */
final class DecodesCheck implements Check {

  private static final long MEMORY_BYTES = 256L << 20;
  private static final String SCALE = "0.5";
  private static final double MOST_LEVELS = 1.001;

  @Override
  public String name() {
    return "decodes";
  }

  @Override
  public String what() {
    return "photos that an ensemble decodes and normalises there differ by 1/255 at most from the"
        + " CPU's";
  }

  @Override
  public Finding run(CheckSite site) throws Exception {
    String unavailable = DeviceImages.unavailable(site.cuda(), site.gpu().ordinal());
    if (!unavailable.isEmpty()) {
      return Finding.skipped(unavailable);
    }
    Steps steps = Steps.onClassPath();
    Step decode = steps.create("conveyor.decode", new StepSettings(0, Map.of()));
    Step normalize =
        steps.create(
            "conveyor.normalize", new StepSettings(1, Map.of("mean", "127.5", "scale", SCALE)));
    double worst = 0;
    int onDevice = 0;
    byte[][] photos = ImagesCheck.photos(Subject.photos(site));
    try (BufferPool memory = new BufferPool(BlockAllocator.host(), MEMORY_BYTES)) {
      for (byte[] photo : photos) {
        try (Tensor found = run(site, memory, true, decode, normalize, photo);
            Tensor expected = run(site, memory, false, decode, normalize, photo)) {
          onDevice += found.isOnDevice() ? 1 : 0;
          worst = Math.max(worst, worst(found, expected) / Double.parseDouble(SCALE));
        }
      }
    }
    String figure =
        String.format(
            Locale.ROOT,
            "worst %.2f levels of 255, %d of %d photos stayed on the device",
            worst,
            onDevice,
            photos.length);
    String reason = onDevice < photos.length ? "photos were refused" : "the numbers differ";
    return Finding.of(worst <= MOST_LEVELS && onDevice == photos.length, figure, reason)
        .with("worst_levels", worst);
  }

  /** Runs both steps as in an ensemble, whose next model is on the device or is not. */
  private static Tensor run(
      CheckSite site, BufferPool memory, boolean there, Step decode, Step normalize, byte[] photo) {
    StepResources resources =
        new StepResources(memory, Long.MAX_VALUE, (device, output) -> there, List.of(site.place()));
    Tensor encoded = BytesTensors.of("image", Shape.of(1), List.of(photo));
    try (Tensor pixels = resources.run(decode, List.of(encoded)).get(0)) {
      return resources.run(normalize, List.of(pixels)).get(0);
    }
  }

  private static double worst(Tensor found, Tensor expected) {
    double worst = 0;
    for (int at = 0; at < expected.sizeBytes(); at += Float.BYTES) {
      double difference = found.data().getFloat(at) - expected.data().getFloat(at);
      worst = Math.max(worst, Math.abs(difference));
    }
    return worst;
  }
}
