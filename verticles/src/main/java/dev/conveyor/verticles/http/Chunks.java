package dev.conveyor.verticles.http;

import io.netty.buffer.ByteBuf;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.internal.buffer.BufferInternal;
import java.nio.ByteBuffer;

/**
 * The one place that looks under Vert.x's buffers, to copy network bytes once. Thread-safe: no
 * state.
 */
final class Chunks {

  private Chunks() {}

  /** Copies a part of a chunk to the whole of {@code target}. */
  static void copy(Buffer chunk, int offset, int length, ByteBuffer target) {
    ByteBuf bytes = ((BufferInternal) chunk).getByteBuf();
    bytes.getBytes(bytes.readerIndex() + offset, target.limit(length));
  }

  /** Wraps byte arrays and byte buffers behind one another, without a copy. */
  static Buffer wrap(ByteBuf bytes) {
    return BufferInternal.buffer(bytes);
  }
}
