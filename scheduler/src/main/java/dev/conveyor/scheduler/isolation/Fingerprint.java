package dev.conveyor.scheduler.isolation;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchRequest;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.util.List;

/**
 * A number that equal inputs share: a hash of the shapes, the lengths, and the first and last part
 * of the bytes of each tensor. Different inputs may share it too, such as images with the same
 * margins, which may cost them company in a batch and nothing else. Who is refused for it is told
 * by {@link #ofAll}.
 *
 * <p>Thread-safe: no state.
 */
public final class Fingerprint {

  /** Bytes looked at from either end of a tensor. */
  private static final int PART_BYTES = 4096;

  private static final long SECRET = new SecureRandom().nextLong();
  private static final long PRIME = 0x9E3779B97F4A7C15L;

  private Fingerprint() {}

  /** Returns the fingerprint of a request's inputs, at a cost that is bounded. */
  public static long of(BatchRequest request) {
    long hash = PRIME;
    List<Tensor> inputs = request.inputs();
    for (int i = 0; i < inputs.size(); i++) {
      Tensor tensor = inputs.get(i);
      ByteBuffer bytes = tensor.identity();
      int size = bytes.limit();
      hash = mix(mix(hash, tensor.shape().hashCode()), size);
      int end = Math.min(PART_BYTES, size);
      hash = mix(hash, bytes, 0, end);
      hash = mix(hash, bytes, Math.max(end, size - PART_BYTES), size);
    }
    return hash;
  }

  /**
   * Returns a hash of every byte of a request's inputs, which nobody can foresee outside of this
   * process. It reads some gigabytes a second.
   */
  static long ofAll(BatchRequest request) {
    long hash = SECRET;
    List<Tensor> inputs = request.inputs();
    for (int i = 0; i < inputs.size(); i++) {
      Tensor tensor = inputs.get(i);
      ByteBuffer bytes = tensor.identity();
      hash = mix(mix(hash, tensor.shape().hashCode()), bytes.limit());
      hash = mix(hash, bytes, 0, bytes.limit());
    }
    return hash;
  }

  private static long mix(long hash, ByteBuffer data, int from, int to) {
    long mixed = hash;
    int at = from;
    for (; at + Long.BYTES <= to; at += Long.BYTES) {
      mixed = mix(mixed, data.getLong(at));
    }
    for (; at < to; at++) {
      mixed = mix(mixed, data.get(at));
    }
    return mixed;
  }

  private static long mix(long hash, long value) {
    long mixed = (hash ^ value) * PRIME;
    return mixed ^ (mixed >>> 29);
  }
}
