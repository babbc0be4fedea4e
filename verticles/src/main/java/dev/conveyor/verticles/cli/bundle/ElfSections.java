package dev.conveyor.verticles.cli.bundle;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * The sections of an ELF file of 64 bits, little-endian, as the System V ABI describes them: as
 * much as it takes to find one by its name. Stateless.
 */
final class ElfSections {

  private static final int MAGIC = 0x464C457F;
  private static final byte CLASS_64 = 2;
  private static final byte LITTLE_ENDIAN = 1;
  private static final int HEADER_BYTES = 64;
  private static final int ENTRY_BYTES = 64;
  private static final int NO_BITS = 8;

  private ElfSections() {}

  /**
   * Returns views of the sections with that name, in the file's order; writing to them writes to
   * the file. None if the file is no such ELF file.
   *
   * @throws BundleException if it begins like one and points outside of itself
   */
  static List<ByteBuffer> named(ByteBuffer file, String name) {
    ByteBuffer elf = file.duplicate().order(ByteOrder.LITTLE_ENDIAN).clear();
    if (elf.limit() < HEADER_BYTES
        || elf.getInt(0) != MAGIC
        || elf.get(4) != CLASS_64
        || elf.get(5) != LITTLE_ENDIAN) {
      return List.of();
    }
    try {
      return find(elf, name);
    } catch (IndexOutOfBoundsException | ArithmeticException | IllegalArgumentException e) {
      throw new BundleException("its ELF sections point outside of the file");
    }
  }

  private static List<ByteBuffer> find(ByteBuffer elf, String name) {
    int table = Math.toIntExact(elf.getLong(0x28));
    int count = Short.toUnsignedInt(elf.getShort(0x3C));
    int names = Short.toUnsignedInt(elf.getShort(0x3E));
    List<ByteBuffer> found = new ArrayList<>();
    if (table == 0) {
      return found;
    }
    int strings = Math.toIntExact(elf.getLong(table + names * ENTRY_BYTES + 0x18));
    for (int i = 0; i < count; i++) {
      int entry = table + i * ENTRY_BYTES;
      if (elf.getInt(entry + 4) != NO_BITS
          && name.equals(string(elf, Math.addExact(strings, elf.getInt(entry))))) {
        int offset = Math.toIntExact(elf.getLong(entry + 0x18));
        int size = Math.toIntExact(elf.getLong(entry + 0x20));
        found.add(elf.slice(offset, size).order(ByteOrder.LITTLE_ENDIAN));
      }
    }
    return found;
  }

  private static String string(ByteBuffer elf, int at) {
    int end = at;
    while (elf.get(end) != 0) {
      end++;
    }
    byte[] bytes = new byte[end - at];
    elf.get(at, bytes);
    return new String(bytes, StandardCharsets.US_ASCII);
  }
}
