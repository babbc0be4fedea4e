package dev.conveyor.verticles.grpc;

import io.vertx.core.buffer.Buffer;

/**
 * Where the messages of a call begin and end: a flag, four bytes of length, the message.
 *
 * <p>Not thread-safe: owned by the event loop of its connection. It follows the bytes and keeps
 * none.
 */
final class MessageFraming {

  private static final int FLAG_BYTES = 1;
  private static final int PREFIX_BYTES = FLAG_BYTES + Integer.BYTES;

  private int prefixBytes;
  private int length;
  private long left;

  /** Takes note of what came; returns whether a message ended in it. */
  boolean accept(Buffer bytes) {
    boolean ended = false;
    int at = 0;
    int end = bytes.length();
    while (at < end) {
      if (prefixBytes < PREFIX_BYTES) {
        if (prefixBytes >= FLAG_BYTES) {
          length = length << Byte.SIZE | Byte.toUnsignedInt(bytes.getByte(at));
        }
        at++;
        prefixBytes++;
        left = Integer.toUnsignedLong(length);
      } else {
        int taken = (int) Math.min(left, end - at);
        at += taken;
        left -= taken;
      }
      if (prefixBytes == PREFIX_BYTES && left == 0) {
        prefixBytes = 0;
        length = 0;
        ended = true;
      }
    }
    return ended;
  }

  /** Returns the length of the message that is coming; 0 as long as nothing has told it. */
  long messageBytes() {
    return prefixBytes == PREFIX_BYTES ? Integer.toUnsignedLong(length) : 0;
  }

  /** Returns how many bytes of that message have come. */
  long receivedBytes() {
    return messageBytes() == 0 ? 0 : messageBytes() - left;
  }

  /** Returns whether a message has begun and is not complete. */
  boolean isMidMessage() {
    return prefixBytes > 0;
  }
}
