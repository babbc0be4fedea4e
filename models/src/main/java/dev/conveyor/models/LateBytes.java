package dev.conveyor.models;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * The bytes of a tensor that are made where they are needed: on a device, by whoever runs the batch
 * there, or on the host when somebody asks for them. Or they lie on a device, and come to the host
 * only if somebody asks for them.
 *
 * <p>{@link #onHost} and {@link #tryShare} are thread-safe; one owner closes each share.
 */
public interface LateBytes extends AutoCloseable {

  /** Returns how many bytes it will be. */
  int sizeBytes();

  /**
   * Returns the bytes, made by the first call, which may take milliseconds.
   *
   * @throws InferenceException if they cannot be made
   */
  ByteBuffer onHost();

  /** Returns what they will be made of: equal bytes become equal tensors. */
  ByteBuffer source();

  /** Returns whether they are there already, on a device, and counted in its ledger. */
  default boolean isOnDevice() {
    return false;
  }

  /** Returns whether both become the same bytes in the same place. */
  @SuppressWarnings("ReferenceEquality") // equal bytes in another place are other bytes
  default boolean isInPlaceOf(LateBytes other) {
    return source() == other.source();
  }

  /** Returns the same for another owner; null if this one is closed. */
  @Nullable LateBytes tryShare();

  /**
   * Returns some of them for another owner, without a copy. Null if this one is closed, and where
   * only the whole can be shared.
   */
  default @Nullable LateBytes trySharePart(int from, int bytes) {
    return null;
  }

  /** Returns the name of the device they lie on; empty if they lie on none. */
  default String device() {
    return "";
  }

  /**
   * Does some work on them, on the device they lie on, where the result stays. Returns when that is
   * enqueued; these bytes may be closed then.
   *
   * @return the result, for another owner; null if the work is for the host
   * @throws InferenceException if the device is lost
   */
  default @Nullable LateBytes tryWork(PixelWork work) {
    return null;
  }

  @Override
  void close();
}
