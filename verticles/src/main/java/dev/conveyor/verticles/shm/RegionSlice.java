package dev.conveyor.verticles.shm;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The part of a region that one tensor of one request uses, which stays there until it is closed,
 * whatever becomes of the registration.
 *
 * <p>Not thread-safe: one owner at a time. It blocks only as long as the copy takes.
 */
final class RegionSlice implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(RegionSlice.class);

  private final Region region;
  private final RegionRef ref;
  private boolean closed;

  /** Takes over one hold of the region, in which {@code ref} lies. */
  RegionSlice(Region region, RegionRef ref) {
    this.region = region;
    this.ref = ref;
  }

  RegionRef ref() {
    return ref;
  }

  /**
   * Fills {@code target}, which has as many bytes as the slice.
   *
   * @throws InferenceException INVALID_REQUEST if the region has become shorter meanwhile
   */
  void read(ByteBuffer target) {
    try {
      if (!region.read(ref.offset(), target)) {
        throw tooShort();
      }
    } catch (IOException e) {
      throw failed("read", e);
    }
  }

  /**
   * Writes {@code source}, which has at most as many bytes as the slice.
   *
   * @throws InferenceException INVALID_REQUEST if the region has become shorter meanwhile
   */
  void write(ByteBuffer source) {
    try {
      if (!region.write(ref.offset(), source)) {
        throw tooShort();
      }
    } catch (IOException e) {
      throw failed("written", e);
    }
  }

  /** Closing twice is harmless. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    try {
      region.release();
    } catch (IOException e) {
      LOG.warn("shared memory region '{}' was not closed: {}", ref.region(), e.toString());
    }
  }

  private InferenceException tooShort() {
    return InferenceException.invalid(
        "shared memory region '%s' has become shorter than it was registered"
            .formatted(ref.region()));
  }

  private InferenceException failed(String what, IOException e) {
    return new InferenceException(
        ErrorCode.EXECUTION_FAILED,
        "shared memory region '%s' cannot be %s: %s".formatted(ref.region(), what, e.getMessage()));
  }
}
