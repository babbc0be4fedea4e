package dev.conveyor.models.process.wire;

import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/**
 * Small framed messages over a local socket: magic number, type, length, payload; little-endian.
 *
 * <p>Not thread-safe: one thread writes a message ({@link #begin}, {@code put...}, {@link #send})
 * and {@link #receive}s the answer. {@link #close} alone may be called from any thread, and ends a
 * receive that waits.
 */
public final class ControlChannel implements AutoCloseable {

  /** What both sides must agree on; raised with every change of a message. */
  public static final int VERSION = 6;

  /** No message is larger, magic number and all. */
  public static final int MAX_FRAME_BYTES = 256 * 1024;

  static final int MAGIC = 0x31564e43;
  private static final int HEADER_BYTES = 12;
  private static final int MAX_STRING_BYTES = 16 * 1024;

  private final SocketChannel channel;
  private final Doorbell bell;
  private final ByteBuffer out = buffer();
  private final ByteBuffer in = buffer();

  public ControlChannel(SocketChannel channel, Doorbell bell) {
    this.channel = channel;
    this.bell = bell;
    in.limit(0);
  }

  private static ByteBuffer buffer() {
    return ByteBuffer.allocateDirect(MAX_FRAME_BYTES).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Begins a message; what was begun and not sent is forgotten. */
  public ControlChannel begin(MessageType type) {
    out.clear();
    out.putInt(MAGIC).putInt(type.number()).putInt(0);
    return this;
  }

  public ControlChannel putInt(int value) {
    out.putInt(value);
    return this;
  }

  public ControlChannel putLong(long value) {
    out.putLong(value);
    return this;
  }

  /** Writes text; what is over 16 KiB is cut off. */
  public ControlChannel putString(String value) {
    byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
    int length = Math.min(bytes.length, MAX_STRING_BYTES);
    out.putInt(length).put(bytes, 0, length);
    return this;
  }

  /**
   * Writes text whole.
   *
   * @throws ProtocolException if a message cannot hold it
   */
  public ControlChannel putText(String value) throws ProtocolException {
    byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
    if (bytes.length > out.remaining() - Integer.BYTES) {
      throw new ProtocolException("a text of " + bytes.length + " bytes");
    }
    out.putInt(bytes.length).put(bytes);
    return this;
  }

  /** Writes who holds how many bytes. */
  public ControlChannel putHolders(Map<String, Long> bytesByTag) {
    out.putInt(bytesByTag.size());
    bytesByTag.forEach((tag, bytes) -> putString(tag).putLong(bytes));
    return this;
  }

  public ControlChannel putSpecs(List<TensorSpec> specs) {
    out.putInt(specs.size());
    for (TensorSpec spec : specs) {
      putString(spec.name());
      putString(spec.type().name());
      putShape(spec.shape());
    }
    return this;
  }

  public ControlChannel putBlock(Shape shape, long offset, long bytes) {
    putShape(shape);
    out.putLong(offset).putLong(bytes);
    return this;
  }

  private void putShape(Shape shape) {
    out.putInt(shape.rank());
    for (int i = 0; i < shape.rank(); i++) {
      out.putLong(shape.dim(i));
    }
  }

  /** Sends what was put since {@link #begin}. */
  public void send() throws IOException {
    out.putInt(HEADER_BYTES - Integer.BYTES, out.position() - HEADER_BYTES);
    out.flip();
    while (out.hasRemaining()) {
      channel.write(out);
    }
    bell.ring();
  }

  /**
   * Waits for the next message. It is valid until the next call.
   *
   * @param awakeNs how long to wait awake before this thread goes to sleep over it
   * @throws EOFException if the other side is gone
   * @throws ProtocolException if what came is no message
   */
  public Message receive(long awakeNs) throws IOException {
    if (awakeNs > 0 && !in.hasRemaining()) {
      bell.await(awakeNs);
    }
    fill(HEADER_BYTES);
    int magic = in.getInt();
    if (magic != MAGIC) {
      throw new ProtocolException("a message that begins with 0x" + Integer.toHexString(magic));
    }
    MessageType type = MessageType.of(in.getInt());
    int length = in.getInt();
    if (length < 0 || length > MAX_FRAME_BYTES - HEADER_BYTES) {
      throw new ProtocolException("a message of " + length + " bytes");
    }
    fill(length);
    ByteBuffer payload = in.slice(in.position(), length).order(ByteOrder.LITTLE_ENDIAN);
    in.position(in.position() + length);
    bell.answer();
    return new Message(type, payload);
  }

  /** Reads until {@code bytes} are there to be taken. */
  private void fill(int bytes) throws IOException {
    if (in.remaining() >= bytes) {
      return;
    }
    in.compact();
    while (in.position() < bytes) {
      if (channel.read(in) < 0) {
        throw new EOFException("the control channel was closed");
      }
    }
    in.flip();
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      // Closed is what it was to be.
    }
  }
}
