package dev.conveyor.verticles.http;

import io.netty.buffer.ByteBuf;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.internal.buffer.BufferInternal;

/**
 * The one place that looks under Vert.x's buffers, to save copies of network bytes. Thread-safe: no
 * state.
 */
final class Chunks {

  private Chunks() {}

  /** Returns the bytes of a chunk, with indices of their own. */
  static ByteBuf bytes(Buffer chunk) {
    return ((BufferInternal) chunk).getByteBuf();
  }

  /** Wraps byte arrays and byte buffers behind one another, without a copy. */
  static Buffer wrap(ByteBuf bytes) {
    return BufferInternal.buffer(bytes);
  }
}
