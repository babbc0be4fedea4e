package dev.conveyor.models;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * The element types of the Open Inference Protocol. Names are the protocol's; configuration files
 * write them as {@code TYPE_FP32}, and {@code TYPE_STRING} for {@link #BYTES}.
 */
public enum DataType {
  BOOL(1),
  UINT8(1),
  UINT16(2),
  UINT32(4),
  UINT64(8),
  INT8(1),
  INT16(2),
  INT32(4),
  INT64(8),
  FP16(2),
  FP32(4),
  FP64(8),
  BF16(2),
  /** Byte strings; raw data holds, per element, a 4-byte little-endian length and the bytes. */
  BYTES(0);

  private static final Map<String, DataType> BY_NAME = new HashMap<>();

  static {
    for (DataType type : values()) {
      BY_NAME.put(type.name(), type);
      BY_NAME.put(type.configName(), type);
    }
  }

  private final int sizeBytes;

  DataType(int sizeBytes) {
    this.sizeBytes = sizeBytes;
  }

  /** Returns the bytes of one element, or 0 for {@link #BYTES}. */
  public int sizeBytes() {
    return sizeBytes;
  }

  /** Returns the name in a model configuration, for example {@code TYPE_FP32}. */
  public String configName() {
    return this == BYTES ? "TYPE_STRING" : "TYPE_" + name();
  }

  /** Finds a type by its protocol name ({@code FP32}) or configuration name ({@code TYPE_FP32}). */
  public static Optional<DataType> find(String name) {
    return Optional.ofNullable(BY_NAME.get(name));
  }
}
