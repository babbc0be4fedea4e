package dev.conveyor.models.image;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.Lease;
import dev.conveyor.models.BytesTensors;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

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
    int images = checkedCount(encoded, Math.max(1, maxBatchSize));
    long totalBytes = (long) images * preprocessor.outputBytesPerImage();
    Shape shape = preprocessor.outputShape().withBatch(images);
    if (totalBytes < MAX_HEAP_BYTES) {
      ByteBuffer target = ByteBuffer.allocate((int) totalBytes).order(ByteOrder.LITTLE_ENDIAN);
      processAll(encoded, target);
      return Tensor.of(encoded.name(), preprocessor.outputType(), shape, target);
    }
    Lease lease = acquire(encoded, images, totalBytes);
    boolean done = false;
    try {
      processAll(encoded, lease.buffer());
      Tensor tensor =
          Tensor.ofLease(
              encoded.name(), preprocessor.outputType(), shape, lease, 0, (int) totalBytes);
      done = true;
      return tensor;
    } finally {
      if (!done) {
        lease.close();
      }
    }
  }

  private void processAll(Tensor encoded, ByteBuffer target) {
    int imageBytes = preprocessor.outputBytesPerImage();
    BytesTensors.forEach(
        encoded,
        (index, data, offset, lengthBytes) -> {
          try {
            preprocessor.process(data.slice(offset, lengthBytes), target, index * imageBytes);
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
                        .formatted(totalBytes, images, encoded.name())));
  }
}
