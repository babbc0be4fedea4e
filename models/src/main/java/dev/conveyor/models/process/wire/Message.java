package dev.conveyor.models.process.wire;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A received message. Not thread-safe: owned by the receiver, valid until it receives the next.
 *
 * <p>Every read may fail with a {@link ProtocolException}: what is read was written by the other
 * side, which may be out of its mind.
 */
public final class Message {

  private static final int MAX_RANK = 32;
  private static final int MAX_LIST = 4096;
  private static final int MAX_HOLDERS = 64;

  private final MessageType type;
  private final ByteBuffer payload;

  Message(MessageType type, ByteBuffer payload) {
    this.type = type;
    this.payload = payload;
  }

  public MessageType type() {
    return type;
  }

  /** Returns this message if it is of that type. */
  public Message expect(MessageType expected) throws ProtocolException {
    if (type != expected) {
      throw new ProtocolException("expected " + expected + ", received " + type);
    }
    return this;
  }

  public int readInt() throws ProtocolException {
    try {
      return payload.getInt();
    } catch (BufferUnderflowException e) {
      throw tooShort();
    }
  }

  public long readLong() throws ProtocolException {
    try {
      return payload.getLong();
    } catch (BufferUnderflowException e) {
      throw tooShort();
    }
  }

  public String readString() throws ProtocolException {
    int length = readCount(payload.remaining());
    byte[] bytes = new byte[length];
    try {
      payload.get(bytes);
    } catch (BufferUnderflowException e) {
      throw tooShort();
    }
    return new String(bytes, StandardCharsets.UTF_8);
  }

  /** Reads the length of a list. */
  public int readCount() throws ProtocolException {
    return readCount(MAX_LIST);
  }

  private Shape readShape() throws ProtocolException {
    long[] dims = new long[readCount(MAX_RANK)];
    for (int i = 0; i < dims.length; i++) {
      dims[i] = readLong();
      if (dims[i] < Shape.DYNAMIC) {
        throw new ProtocolException("a dimension of " + dims[i]);
      }
    }
    return Shape.of(dims);
  }

  private DataType readType() throws ProtocolException {
    String name = readString();
    return DataType.find(name)
        .orElseThrow(() -> new ProtocolException("data type \"" + name + "\" is unknown"));
  }

  public List<TensorSpec> readSpecs() throws ProtocolException {
    int count = readCount();
    List<TensorSpec> specs = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      specs.add(new TensorSpec(readString(), readType(), readShape()));
    }
    return specs;
  }

  /** Reads who holds how many bytes. */
  public Map<String, Long> readHolders() throws ProtocolException {
    Map<String, Long> holders = new TreeMap<>();
    for (int left = readCount(MAX_HOLDERS); left > 0; left--) {
      String tag = readString();
      long bytes = readLong();
      if (bytes < 0) {
        throw new ProtocolException("a holder of " + bytes + " bytes");
      }
      holders.put(tag, bytes);
    }
    return holders;
  }

  /** Reads why something failed. */
  public FailureKind readFailureKind() throws ProtocolException {
    String name = readString();
    for (FailureKind kind : FailureKind.values()) {
      if (kind.name().equals(name)) {
        return kind;
      }
    }
    throw new ProtocolException("failure kind \"" + name + "\" is unknown");
  }

  /**
   * Reads where one tensor lies.
   *
   * @param slabBytes the block lies within a slab of this size, or is refused
   */
  public TensorBlock readBlock(long slabBytes) throws ProtocolException {
    Shape shape = readShape();
    long offset = readLong();
    long bytes = readLong();
    if (!shape.isStatic()) {
      throw new ProtocolException("a tensor of shape " + shape);
    }
    if (offset < 0 || bytes < 0 || bytes > slabBytes || offset > slabBytes - bytes) {
      throw new ProtocolException(
          "a tensor of %d bytes at %d in a slab of %d bytes".formatted(bytes, offset, slabBytes));
    }
    return new TensorBlock(shape, Math.toIntExact(offset), Math.toIntExact(bytes));
  }

  private int readCount(int most) throws ProtocolException {
    int count = readInt();
    if (count < 0 || count > most) {
      throw new ProtocolException("a length of " + count + " where at most " + most + " can be");
    }
    return count;
  }

  private ProtocolException tooShort() {
    return new ProtocolException(type + " is too short");
  }
}
