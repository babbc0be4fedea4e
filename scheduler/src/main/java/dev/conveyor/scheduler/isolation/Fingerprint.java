package dev.conveyor.scheduler.isolation;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchRequest;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * A number that equal inputs share: a hash of the shapes, the lengths, and the first and last part
 * of the bytes of each tensor. Different inputs may share it too, which costs them company in a
 * batch and nothing else.
 *
 * <p>Thread-safe: no state. Its cost is bounded, whatever the size of the inputs.
 */
public final class Fingerprint {

  /** Bytes looked at from either end of a tensor. */
  private static final int PART_BYTES = 4096;

  private static final long PRIME = 0x9E3779B97F4A7C15L;

  private Fingerprint() {}

  /** Returns the fingerprint of a request's inputs. */
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
