package dev.conveyor.models.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.Lease;
import dev.conveyor.models.BytesTensors;
import dev.conveyor.models.DataType;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.config.Preprocessing;
import dev.conveyor.models.config.Preprocessing.Color;
import dev.conveyor.models.config.Preprocessing.Layout;
import dev.conveyor.models.config.Preprocessing.Mode;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class ImageTensorsTest {

  private static final byte[] RED = TestImages.png(TestImages.solid(9, 9, 0xFF0000));
  private static final byte[] BLUE = TestImages.png(TestImages.solid(30, 20, 0x0000FF));

  private final BufferPool pool = new BufferPool(BlockAllocator.host(), 1 << 20);

  @AfterEach
  void closePool() {
    assertThat(pool.leasedBytes()).as("every test gives back what it took").isZero();
    pool.close();
  }

  @Test
  void shouldPutSmallImagesInOrderOnTheHeap() {
    Tensor tensor = tensors(4).preprocess(images(RED, BLUE), 8);

    assertThat(tensor.name()).isEqualTo("image");
    assertThat(tensor.type()).isEqualTo(DataType.FP32);
    assertThat(tensor.shape()).isEqualTo(Shape.of(2, 3, 4, 4));
    assertThat(tensor.sizeBytes()).isEqualTo(2 * 3 * 16 * 4);
    assertThat(tensor.data().isDirect()).isFalse();
    assertThat(tensor.data().getFloat(0)).isEqualTo(255);
    assertThat(tensor.data().getFloat(3 * 16 * 4)).isZero();
    assertThat(tensor.data().getFloat((3 + 2) * 16 * 4)).isEqualTo(255);
    assertThat(pool.leasedBytes()).isZero();
  }

  @Test
  void shouldPutLargeImagesInALeaseThatTheTensorOwns() {
    Tensor tensor = tensors(64).preprocess(images(BLUE, RED), 8);

    assertThat(tensor.shape()).isEqualTo(Shape.of(2, 3, 64, 64));
    assertThat(tensor.data().isDirect()).isTrue();
    assertThat(tensor.data().getFloat(0)).isZero();
    assertThat(tensor.data().getFloat(3 * 64 * 64 * 4)).isEqualTo(255);
    assertThat(pool.leasedBytes()).isPositive();
    tensor.close();
  }

  @Test
  void shouldReadImagesFromALeaseWithoutClosingIt() {
    Tensor heap = images(RED);
    Lease lease = pool.acquire(heap.sizeBytes());
    lease.buffer().put(0, heap.data(), 0, heap.sizeBytes());
    Tensor leased =
        Tensor.ofLease("image", DataType.BYTES, Shape.of(1, 1), lease, 0, heap.sizeBytes());

    Tensor tensor = tensors(4).preprocess(leased, 8);

    assertThat(tensor.data().getFloat(0)).isEqualTo(255);
    assertThat(pool.leasedBytes()).isPositive();
    leased.close();
  }

  @Test
  void shouldNameTheBadImageAndGiveTheLeaseBack() {
    byte[] bad = TestImages.cut(BLUE, BLUE.length - 5);

    assertFails(
        () -> tensors(64).preprocess(images(RED, BLUE, bad), 8),
        ErrorCode.INVALID_REQUEST,
        "image 2 of input 'image': truncated PNG: %d bytes, and no end of image in them"
            .formatted(bad.length));
  }

  @Test
  void shouldRefuseMoreImagesThanTheModelTakes() {
    tensors(4).preprocess(images(RED, RED), 2).close();
    tensors(4).preprocess(images(RED), 0).close();

    assertFails(
        () -> tensors(4).preprocess(images(RED, RED), 1),
        ErrorCode.INVALID_REQUEST,
        "input 'image' has 2 images, the model takes at most 1 at once");
    assertFails(
        () -> tensors(4).preprocess(images(RED, RED), 0),
        ErrorCode.INVALID_REQUEST,
        "input 'image' has 2 images, the model takes at most 1 at once");
    assertFails(
        () -> tensors(4).preprocess(images(), 8),
        ErrorCode.INVALID_REQUEST,
        "input 'image' has no image");
  }

  @Test
  void shouldRefuseLengthsThatLie() {
    ByteBuffer data = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putInt(0, 5);

    assertFails(
        () -> tensors(64).preprocess(Tensor.of("image", DataType.BYTES, Shape.of(1), data), 8),
        ErrorCode.INVALID_REQUEST,
        "tensor 'image': element 0 claims 5 bytes, 4 are left");
  }

  @Test
  void shouldSayWhetherWaitingWouldHelpWhenNoBufferIsFree() {
    assertFails(
        () -> tensors(512).preprocess(images(RED), 8),
        ErrorCode.TOO_LARGE,
        "1 images of input 'image' become 3145728 bytes, buffers have at most 1048576 in all");
    try (Lease all = pool.acquire(1 << 20)) {
      assertThat(all.sizeBytes()).isEqualTo(1 << 20);
      assertFails(
          () -> tensors(64).preprocess(images(RED), 8),
          ErrorCode.QUEUE_FULL,
          "no buffer of 49152 bytes is free for 1 images of input 'image'");
    }
  }

  @Test
  void shouldBringImagesOfAnySizeToTheOneThatWastesLeast() {
    Preprocessing config =
        new Preprocessing(
            "image",
            Mode.PAD,
            0,
            0,
            Color.RGB,
            Layout.NCHW,
            DataType.UINT8,
            List.of(),
            List.of(),
            7,
            List.of(new Preprocessing.Size(10, 9), new Preprocessing.Size(32, 24)),
            List.of());
    ImageTensors tensors = new ImageTensors(new ImagePreprocessor(config, 1_000_000), pool);

    assertThat(tensors.preprocess(images(RED, RED), 8).shape()).isEqualTo(Shape.of(2, 3, 9, 10));

    ImageTensors.Fitted mixed = tensors.fit(images(RED, BLUE), 8);
    assertThat(mixed.tensor().shape()).isEqualTo(Shape.of(2, 3, 24, 32));
    assertThat(mixed.placements())
        .containsExactly(
            new Placement(new Preprocessing.Size(9, 9), new Letterbox(0, 0, 9, 9)),
            new Placement(new Preprocessing.Size(30, 20), new Letterbox(0, 0, 30, 20)));
    assertThat(mixed.tensor().data().get(8) & 0xFF).as("red").isEqualTo(255);
    assertThat(mixed.tensor().data().get(9)).as("padding").isEqualTo((byte) 7);
    int blue = (3 + 2) * 24 * 32;
    assertThat(mixed.tensor().data().get(blue + 29) & 0xFF).isEqualTo(255);
    assertThat(mixed.tensor().data().get(blue + 30)).isEqualTo((byte) 7);

    assertFails(
        () -> tensors.preprocess(images(RED, new byte[] {1, 2, 3, 4}), 8),
        ErrorCode.INVALID_REQUEST,
        "image 1 of input 'image': neither JPEG nor PNG");
  }

  private static void assertFails(
      org.assertj.core.api.ThrowableAssert.ThrowingCallable call, ErrorCode code, String message) {
    assertThatThrownBy(call)
        .hasMessage(message)
        .isInstanceOfSatisfying(
            InferenceException.class, e -> assertThat(e.code()).isEqualTo(code));
  }

  private ImageTensors tensors(int size) {
    Preprocessing config =
        new Preprocessing(
            "image",
            Mode.RESIZE,
            size,
            size,
            Color.RGB,
            Layout.NCHW,
            DataType.FP32,
            List.of(),
            List.of(),
            0);
    return new ImageTensors(new ImagePreprocessor(config, 1_000_000), pool);
  }

  private static Tensor images(byte[]... encoded) {
    return BytesTensors.of("image", Shape.of(encoded.length), List.of(encoded));
  }
}
