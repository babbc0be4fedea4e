package dev.conveyor.verticles.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.models.BytesTensors;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.config.ModelConfigReader;
import dev.conveyor.scheduler.CoreBudget;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.scheduler.admission.AdmissionRule.Preparation;
import dev.conveyor.verticles.ImageInputs;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Two models whose images are decoded by one worker. */
final class ImageStageTest {

  private final Vertx vertx = Vertx.vertx();
  private final Context context = vertx.getOrCreateContext();
  private final BufferPool pool = new BufferPool(BlockAllocator.host(), 1 << 20);
  private final ImageStage stage = new ImageStage(vertx, 1, new CoreBudget(1), pool, 1_000_000);
  private final ImageInputs photos = images("photos");
  private final ImageInputs icons = images("icons");
  private final List<String> turns = Collections.synchronizedList(new ArrayList<>());
  private final CountDownLatch held = new CountDownLatch(1);
  private final CountDownLatch begun = new CountDownLatch(1);

  @BeforeEach
  void learnWhatAnImageOfEachTakes() throws IOException {
    for (ImageInputs each : List.of(photos, icons)) {
      Future<ImageInputs.Prepared> decoded = ask(each, () -> {});
      TestServer.await(decoded).inputs().forEach(Tensor::close);
    }
  }

  @AfterEach
  void close() {
    held.countDown();
    TestServer.await(stage.close());
    TestServer.await(vertx.close());
    assertThat(pool.leasedBytes()).isZero();
    pool.close();
  }

  @Test
  void shouldTakeAndServeAModelNextWhileAnotherHasAllWaitingThatItMay() throws Exception {
    List<Future<?>> all = new ArrayList<>();
    all.add(ask(photos, this::hold));
    assertThat(begun.await(60, TimeUnit.SECONDS)).isTrue();
    for (int i = 1; i < ImageStage.MAX_WAITING; i++) {
      all.add(ask(photos, turn("photo")));
    }
    InferenceException full = failure(ask(photos, turn("one too many")));
    assertThat(full.code()).isEqualTo(ErrorCode.QUEUE_FULL);
    assertThat(full.reason()).isEqualTo(RefusalReason.QUEUE_FULL);

    all.add(ask(icons, turn("icon")));
    held.countDown();
    TestServer.await(Future.join(all).otherwiseEmpty());

    assertThat(turns).hasSize(ImageStage.MAX_WAITING).doesNotContain("one too many");
    assertThat(turns.indexOf("icon")).as("at most its turn after theirs").isLessThanOrEqualTo(1);
  }

  @Test
  void shouldPredictForAModelByItsOwnBacklogAndItsShare() throws Exception {
    List<Future<?>> all = new ArrayList<>();
    all.add(ask(photos, this::hold));
    assertThat(begun.await(60, TimeUnit.SECONDS)).isTrue();
    for (int i = 1; i < 100; i++) {
      all.add(ask(photos, turn("photo")));
    }
    assertThat(photos.ahead().itemsAhead()).isEqualTo(100);
    assertThat(icons.ahead()).isEqualTo(Preparation.NONE);
    assertThat(icons.work()).isEqualTo(Preparation.NONE);

    all.add(ask(icons, turn("icon")));
    all.add(ask(icons, turn("icon")));
    assertThat(icons.ahead().itemsAhead()).isEqualTo(2);
    long oneNs = icons.work().ns();
    // Two of its own before it, at most as long of the photos, and itself.
    assertThat(icons.ahead().ns()).isBetween(3 * oneNs, 5 * oneNs);
    held.countDown();
    TestServer.await(Future.join(all).otherwiseEmpty());
    assertThat(photos.ahead()).isEqualTo(Preparation.NONE);
  }

  private void hold() {
    begun.countDown();
    try {
      held.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    throw enough();
  }

  private Runnable turn(String name) {
    return () -> {
      turns.add(name);
      throw enough();
    };
  }

  private static InferenceException enough() {
    return new InferenceException(ErrorCode.CANCELLED, "its turn has come, that is all");
  }

  private static InferenceException failure(Future<?> future) {
    return (InferenceException)
        TestServer.await(future.transform(done -> Future.succeededFuture(done.cause())));
  }

  private Future<ImageInputs.Prepared> ask(ImageInputs model, Runnable admission)
      throws IOException {
    Tensor image = BytesTensors.of("INPUT0", Shape.of(1, 1), List.of(png()));
    Promise<ImageInputs.Prepared> done = Promise.promise();
    Promise<Void> asked = Promise.promise();
    context.runOnContext(
        v -> {
          model.preprocess(List.of(image), ReplyTo.unheard(), admission).onComplete(done);
          asked.complete();
        });
    TestServer.await(asked.future());
    return done.future();
  }

  private ImageInputs images(String name) {
    return stage.of(
        ModelConfigReader.read(
            name,
            """
            {"max_batch_size": 8,
             "input": [{"name": "INPUT0", "data_type": "TYPE_FP32", "dims": [3, 4, 4]}],
             "conveyor": {"preprocessing": [{"input": "INPUT0", "height": 4, "width": 4}]}}"""));
  }

  private static byte[] png() throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    ImageIO.write(new BufferedImage(8, 8, BufferedImage.TYPE_INT_RGB), "png", bytes);
    return bytes.toByteArray();
  }
}
