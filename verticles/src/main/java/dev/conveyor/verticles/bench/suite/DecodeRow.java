package dev.conveyor.verticles.bench.suite;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.config.ModelConfigReader;
import dev.conveyor.models.image.OpenCvLoop;
import dev.conveyor.scheduler.CoreBudget;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.verticles.ImageInputs;
import dev.conveyor.verticles.bench.host.ProcFs;
import dev.conveyor.verticles.image.ImageStage;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.DoubleAdder;

/**
 * Whether the workers that decode images lose anything against threads that do nothing but call
 * OpenCV. Both run in this process, on as many threads, by turns.
 *
 * <p>Not thread-safe: owned by the suite.
 */
final class DecodeRow {

  private static final int WIDTH = 320;
  private static final int HEIGHT = 240;
  private static final long MAX_PIXELS = 50_000_000;
  private static final String INPUT = "input";

  private final Lab lab;

  DecodeRow(Lab lab) {
    this.lab = lab;
  }

  /** Work that a thread does over and over; returns nothing that matters. */
  private interface Loop {
    void run(long deadlineNs, AtomicLong done) throws InterruptedException;
  }

  Measured measure() throws Exception {
    List<ByteBuffer> frames = new ArrayList<>();
    for (byte[] frame : StreamsRows.frames(lab)) {
      ByteBuffer direct = ByteBuffer.allocateDirect(frame.length + Integer.BYTES);
      direct.order(ByteOrder.LITTLE_ENDIAN).putInt(frame.length).put(frame).flip();
      frames.add(direct);
    }
    Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
    BufferPool pool = new BufferPool(BlockAllocator.host(), 1L << 30);
    ImageStage stage =
        new ImageStage(vertx, lab.cores(), new CoreBudget(lab.cores()), pool, MAX_PIXELS);
    double[] wall = new double[4];
    try {
      ImageInputs images =
          stage.of(
              ModelConfigReader.read(
                  "decode",
                  PipelineConfigs.images(TestRepository.config(0, 1, 1), INPUT, WIDTH, HEIGHT)
                      .put("input", PipelineConfigs.imageInput(INPUT, WIDTH, HEIGHT))
                      .encode()));
      OpenCvLoop openCv = new OpenCvLoop(WIDTH, HEIGHT);
      Settling settling =
          Settling.await(
              length -> {
                Turns.Amount unused = window(length, staged(vertx, images, frames), 1, wall, 0);
              },
              Settling.compilerOf(ProcessHandle.current().pid()),
              lab.warmup());
      Arrays.fill(wall, 0);
      List<Turns.Amount> sides =
          Turns.run(
              lab,
              List.of(
                  (warmup, duration) -> {
                    Turns.Amount unused = window(warmup, staged(vertx, images, frames), 1, wall, 0);
                    return window(duration, staged(vertx, images, frames), 1, wall, 0);
                  },
                  (warmup, duration) -> {
                    Turns.Amount unused =
                        window(warmup, plain(openCv, frames), lab.cores(), wall, 2);
                    return window(duration, plain(openCv, frames), lab.cores(), wall, 2);
                  }));
      return new Measured(
          sides.get(0).rate() / sides.get(1).rate(),
          String.format(
              Locale.ROOT,
              "720p JPEG to %d x %d FP32, %d threads each, %d windows by turns; per CPU second: the"
                  + " server's stage %.1f, plain OpenCV calls %.1f; per second: %.1f and %.1f; %s",
              WIDTH,
              HEIGHT,
              lab.cores(),
              Turns.ROUNDS,
              sides.get(0).rate(),
              sides.get(1).rate(),
              wall[0] / wall[1],
              wall[2] / wall[3],
              settling.how()));
    } finally {
      stage.close().toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
      vertx.close().toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
      pool.close();
    }
  }

  /**
   * Keeps as many images in the stage as there are workers, and one for each that waits. They are
   * given to it by an event loop, as by the server.
   */
  private Loop staged(Vertx vertx, ImageInputs images, List<ByteBuffer> frames) {
    return (deadlineNs, done) -> {
      int most = 2 * lab.cores();
      CountDownLatch ended = new CountDownLatch(most);
      Context context = vertx.getOrCreateContext();
      for (int i = 0; i < most; i++) {
        int first = i;
        context.runOnContext(v -> stageNext(images, frames, first, deadlineNs, done, ended));
      }
      ended.await();
    };
  }

  private static void stageNext(
      ImageInputs images,
      List<ByteBuffer> frames,
      int index,
      long deadlineNs,
      AtomicLong done,
      CountDownLatch ended) {
    if (System.nanoTime() - deadlineNs >= 0) {
      ended.countDown();
      return;
    }
    ByteBuffer frame = frames.get(index % frames.size());
    images
        .preprocess(
            List.of(Tensor.of(INPUT, DataType.BYTES, Shape.of(1), frame)),
            ReplyTo.unheard(),
            () -> {})
        .onSuccess(
            prepared -> {
              prepared.inputs().forEach(Tensor::close);
              done.incrementAndGet();
            })
        .onComplete(end -> stageNext(images, frames, index + 1, deadlineNs, done, ended));
  }

  private static Loop plain(OpenCvLoop openCv, List<ByteBuffer> frames) {
    DoubleAdder kept = new DoubleAdder();
    return (deadlineNs, done) -> {
      for (int i = 0; System.nanoTime() - deadlineNs < 0; i++) {
        ByteBuffer element = frames.get(i % frames.size());
        kept.add(openCv.process(element.slice(Integer.BYTES, element.limit() - Integer.BYTES)));
        done.incrementAndGet();
      }
    };
  }

  /** Runs a loop on some threads; returns images and CPU seconds, and adds both to {@code wall}. */
  private static Turns.Amount window(
      Duration duration, Loop loop, int threads, double[] wall, int at)
      throws InterruptedException {
    AtomicLong done = new AtomicLong();
    CountDownLatch ended = new CountDownLatch(threads);
    OptionalDouble before = ProcFs.ownCpu().seconds();
    long startNs = System.nanoTime();
    long deadlineNs = startNs + duration.toNanos();
    for (int i = 0; i < threads; i++) {
      Thread worker =
          new Thread(
              () -> {
                try {
                  loop.run(deadlineNs, done);
                } catch (InterruptedException e) {
                  Thread.currentThread().interrupt();
                } finally {
                  ended.countDown();
                }
              },
              "decode-" + i);
      worker.setDaemon(true);
      worker.start();
    }
    ended.await();
    OptionalDouble after = ProcFs.ownCpu().seconds();
    if (before.isEmpty() || after.isEmpty()) {
      throw new CannotMeasureException("the CPU time of this process cannot be read from /proc");
    }
    if (done.get() == 0) {
      throw new CannotMeasureException("no image was decoded");
    }
    wall[at] += done.get();
    wall[at + 1] += (System.nanoTime() - startNs) / 1e9;
    return new Turns.Amount(done.get(), after.getAsDouble() - before.getAsDouble());
  }
}
