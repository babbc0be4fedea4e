package dev.conveyor.verticles.cli.bundle;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;

/** Files and sections as a linker and CUDA's compiler would write them, byte by byte. */
final class SyntheticElf {

  static final int PTX = 1;
  static final int CUBIN = 2;

  private SyntheticElf() {}

  record Code(int kind, int architecture, int headerBytes, int payloadBytes) {}

  /** A fat binary whose payloads are filled with their architecture. */
  static byte[] fatBinary(Code... entries) {
    int size = Arrays.stream(entries).mapToInt(e -> e.headerBytes + e.payloadBytes).sum();
    byte[] bytes = new byte[16 + size];
    ByteBuffer out = buffer(bytes);
    out.putInt(0xBA55ED50).putShort((short) 1).putShort((short) 16).putLong(size);
    for (Code entry : entries) {
      int start = out.position();
      out.putShort((short) entry.kind).putShort((short) 0x101).putInt(entry.headerBytes);
      out.putLong(entry.payloadBytes).putInt(0).putInt(0).putShort((short) 0).putShort((short) 8);
      out.putInt(entry.architecture);
      out.position(start + entry.headerBytes);
      for (int i = 0; i < entry.payloadBytes; i++) {
        out.put((byte) entry.architecture);
      }
    }
    return bytes;
  }

  /** Fat binaries behind each other, each on a boundary of 8 bytes. */
  static byte[] section(List<byte[]> binaries) {
    byte[] bytes = new byte[binaries.stream().mapToInt(b -> (b.length + 7) / 8 * 8).sum()];
    ByteBuffer out = buffer(bytes);
    for (byte[] binary : binaries) {
      int start = out.position();
      out.put(binary);
      out.position(start + (binary.length + 7) / 8 * 8);
    }
    return bytes;
  }

  /** A file with a section of that name between two others. */
  static byte[] file(String name, byte[] content) {
    byte[] names = ("\0.text\0" + name + "\0.shstrtab\0").getBytes(StandardCharsets.US_ASCII);
    int at = 64;
    int namesAt = at + content.length;
    int table = (namesAt + names.length + 7) / 8 * 8;
    byte[] bytes = new byte[table + 4 * 64];
    ByteBuffer out = buffer(bytes);
    out.putInt(0x464C457F).put((byte) 2).put((byte) 1);
    out.putLong(0x28, table).putShort(0x3C, (short) 4).putShort(0x3E, (short) 3);
    out.put(at, content).put(namesAt, names);
    sectionHeader(out, table + 64, 1, at, 0);
    sectionHeader(out, table + 128, 7, at, content.length);
    sectionHeader(out, table + 192, 8 + name.length(), namesAt, names.length);
    return bytes;
  }

  private static void sectionHeader(ByteBuffer out, int at, int name, int offset, int size) {
    out.putInt(at, name).putInt(at + 4, 1).putLong(at + 0x18, offset).putLong(at + 0x20, size);
  }

  static ByteBuffer buffer(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }
}
