package dev.conveyor.models.image;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.Lease;
import dev.conveyor.models.BytesTensors;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.config.Preprocessing;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongFunction;

/**
 * Turns the encoded images of one request into the tensor that the model takes.
 *
 * <p>Thread-safe, and as slow as {@link ImagePreprocessor} times the number of images.
 */
public final class ImageTensors {

  /** Smaller tensors are not worth a block of the pool. */
  private static final int MAX_HEAP_BYTES = 16 * 1024;

  private static final long MAX_LEASE_BYTES = Integer.MAX_VALUE - 1024L;

  private final ImagePreprocessor preprocessor;
  private final BufferPool pool;

  /** Uses {@code pool} without owning it. */
  public ImageTensors(ImagePreprocessor preprocessor, BufferPool pool) {
    this.preprocessor = preprocessor;
    this.pool = pool;
  }

  /**
   * Returns a tensor of the same name and shape {@code [n, ...]} with the n preprocessed images in
   * order. The caller owns it, and still owns {@code encoded}.
   *
   * @param encoded a {@code BYTES} tensor of any shape, one encoded image per element
   * @param maxBatchSize of the model; 0, for a model that does not batch, allows one image
   * @throws InferenceException if there is no image or one too many, if an image is refused (the
   *     message says which, from 0, and why), or if the pool has no memory left
   */
  public Tensor preprocess(Tensor encoded, int maxBatchSize) {
    return fit(encoded, maxBatchSize).tensor();
  }

  /**
   * What became of the images of a request.
   *
   * @param size of all of them now
   * @param placements of each, where it lies in that
   */
  public record Fitted(Tensor tensor, Preprocessing.Size size, List<Placement> placements) {}

  /** As {@link #preprocess}, and says where the images lie. */
  public Fitted fit(Tensor encoded, int maxBatchSize) {
    int images = checkedCount(encoded, Math.max(1, maxBatchSize));
    Preprocessing.Size size = choose(encoded);
    List<Placement> placements = new ArrayList<>(images);
    long totalBytes = (long) images * preprocessor.outputBytes(size);
    Shape shape = preprocessor.outputShape(size).withBatch(images);
    if (totalBytes < MAX_HEAP_BYTES) {
      ByteBuffer target = ByteBuffer.allocate((int) totalBytes).order(ByteOrder.LITTLE_ENDIAN);
      processAll(encoded, size, target, placements);
      return new Fitted(
          Tensor.of(encoded.name(), preprocessor.outputType(), shape, target), size, placements);
    }
    Lease lease = acquire(encoded, images, totalBytes);
    boolean done = false;
    try {
      processAll(encoded, size, lease.buffer(), placements);
      Tensor tensor =
          Tensor.ofLease(
              encoded.name(), preprocessor.outputType(), shape, lease, 0, (int) totalBytes);
      done = true;
      return new Fitted(tensor, size, placements);
    } finally {
      if (!done) {
        lease.close();
      }
    }
  }

  /**
   * As {@link #fit}, for a model whose images are decoded on the device that runs the batch. Images
   * that no device decodes are made here and now; all are checked. If this returns, {@code encoded}
   * belongs to the tensor that it returns.
   */
  public Fitted fitLate(Tensor encoded, int maxBatchSize) {
    int images = checkedCount(encoded, Math.max(1, maxBatchSize));
    Preprocessing.Size size = choose(encoded);
    Preprocessing config = preprocessor.config();
    List<EncodedImages.Part> parts = new ArrayList<>(images);
    LongFunction<Lease> memory = bytes -> acquire(encoded, images, bytes);
    NativeCopies copies = new NativeCopies(memory, encoded.sizeBytes());
    EncodedImages shared;
    try {
      forEach(
          encoded,
          (index, image) -> {
            preprocessor.check(image);
            boolean late = PlainJpeg.is(image, config.color());
            parts.add(
                new EncodedImages.Part(
                    late ? copies.of(image) : null,
                    image,
                    Placement.of(config.mode(), size, ImagePreprocessor.sizeOf(image))));
          });
      shared = new EncodedImages(preprocessor, size, parts, encoded, copies, memory);
    } catch (RuntimeException | Error e) {
      copies.close();
      throw e;
    }
    try {
      forEach(encoded, (index, image) -> shared.makeUnlessLate(index));
    } catch (RuntimeException | Error e) {
      shared.forget();
      throw e;
    }
    Shape shape = preprocessor.outputShape(size).withBatch(images);
    return new Fitted(
        Tensor.late(encoded.name(), preprocessor.outputType(), shape, new LateImages(shared)),
        size,
        parts.stream().map(EncodedImages.Part::placement).toList());
  }

  private Preprocessing.Size choose(Tensor encoded) {
    List<Preprocessing.Size> sizes = new ArrayList<>();
    if (preprocessor.hasChoice()) {
      forEach(encoded, (index, image) -> sizes.add(ImagePreprocessor.sizeOf(image)));
    }
    return preprocessor.choose(sizes);
  }

  private void processAll(
      Tensor encoded, Preprocessing.Size size, ByteBuffer target, List<Placement> placements) {
    int imageBytes = preprocessor.outputBytes(size);
    forEach(
        encoded,
        (index, image) ->
            placements.add(preprocessor.process(image, size, target, index * imageBytes)));
  }

  private interface ImageVisitor {
    void visit(int index, ByteBuffer image);
  }

  private static void forEach(Tensor encoded, ImageVisitor visitor) {
    BytesTensors.forEach(
        encoded,
        (index, data, offset, lengthBytes) -> {
          try {
            visitor.visit(index, data.slice(offset, lengthBytes));
          } catch (InferenceException e) {
            throw new InferenceException(
                e.code(),
                "image %d of input '%s': %s".formatted(index, encoded.name(), e.getMessage()));
          }
        });
  }

  private static int checkedCount(Tensor encoded, int maxImages) {
    int images = BytesTensors.count(encoded);
    if (images == 0) {
      throw InferenceException.invalid("input '%s' has no image".formatted(encoded.name()));
    }
    if (images > maxImages) {
      throw InferenceException.invalid(
          "input '%s' has %d images, the model takes at most %d at once"
              .formatted(encoded.name(), images, maxImages));
    }
    return images;
  }

  private Lease acquire(Tensor encoded, int images, long totalBytes) {
    if (totalBytes > Math.min(pool.maxBytes(), MAX_LEASE_BYTES)) {
      throw new InferenceException(
          ErrorCode.TOO_LARGE,
          "%d images of input '%s' become %d bytes, buffers have at most %d in all"
              .formatted(images, encoded.name(), totalBytes, pool.maxBytes()));
    }
    return pool.tryAcquire(totalBytes)
        .orElseThrow(
            () ->
                new InferenceException(
                    ErrorCode.QUEUE_FULL,
                    "no buffer of %d bytes is free for %d images of input '%s'"
                        .formatted(totalBytes, images, encoded.name()),
                    RefusalReason.REQUEST_MEMORY,
                    InferenceException.UNKNOWN));
  }
}
