package dev.conveyor.models;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * The bytes of a tensor that are made where they are needed: on a device, by whoever runs the batch
 * there, or on the host when somebody asks for them.
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

  /** Returns the same for another owner; null if this one is closed. */
  @Nullable LateBytes tryShare();

  @Override
  void close();
}
