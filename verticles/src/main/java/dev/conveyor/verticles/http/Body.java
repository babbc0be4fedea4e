package dev.conveyor.verticles.http;

import dev.conveyor.memory.HeapShare;
import dev.conveyor.memory.Lease;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * The body of a request as it was read: all of it on the heap, or its JSON head on the heap and the
 * tensor bytes behind it in a lease. Whoever holds it closes the lease, or passes it on.
 *
 * @param heap the bytes; {@code headLength} of them are the head
 * @param lease the tensor bytes, or null if they are on the heap too
 * @param share what the heap part counts for; null if it is small
 */
record Body(ByteBuffer heap, int headLength, @Nullable Lease lease, @Nullable HeapShare share) {

  /** Gives up the claim on the heap part; tensors may refer to it until then. */
  void closeShare() {
    if (share != null) {
      share.close();
    }
  }
}
