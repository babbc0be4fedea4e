package dev.conveyor.verticles.cli.bundle;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Device code for several architectures in one file, as CUDA's compiler leaves it in a section of a
 * library: fat binaries behind each other, each a header and a chain of entries, each entry a
 * header and a payload. The format is not documented; it was worked out by others and holds for
 * what CUDA 13 compiles and for the libraries of TensorRT 10 and ONNX Runtime 1.24.
 *
 * <pre>
 *   fat binary:  magic 4, version 2, header bytes 2, bytes of the entries 8
 *   entry:       kind 2, version 2, header bytes 4, payload bytes 8, ..., architecture at 28, ...
 * </pre>
 *
 * <p>{@link #blank} overwrites the payloads that a device would never choose with zeros and leaves
 * every header: the file keeps its size and its addresses, and compresses.
 */
final class FatBinary {

  /** What libraries call the sections that hold it. */
  static final List<String> SECTIONS = List.of(".nv_fatbin", "__nv_relfatbin");

  private static final int MAGIC = 0xBA55ED50;
  private static final int ALIGNMENT = 8;
  private static final int HEADER_BYTES = 16;
  private static final int ENTRY_HEADER_BYTES = 32;
  private static final int PTX = 1;
  private static final int CUBIN = 2;
  private static final byte[] ZEROS = new byte[1 << 16];

  private FatBinary() {}

  /**
   * What was found and what is gone.
   *
   * @param binaries fat binaries
   * @param entries entries in them
   * @param blanked of these, overwritten
   * @param payloadBytes of all entries
   * @param blankedBytes of those overwritten
   */
  record Blanked(int binaries, int entries, int blanked, long payloadBytes, long blankedBytes) {

    static final Blanked NONE = new Blanked(0, 0, 0, 0, 0);

    Blanked plus(Blanked other) {
      return new Blanked(
          binaries + other.binaries,
          entries + other.entries,
          blanked + other.blanked,
          payloadBytes + other.payloadBytes,
          blankedBytes + other.blankedBytes);
    }
  }

  private record Entry(int kind, int architecture, int offset, int bytes) {}

  /**
   * Overwrites what a device of compute capability {@code sm} would never choose.
   *
   * <p>A device runs machine code (a cubin) for its own architecture or for a smaller one with the
   * same major number; the largest of these stays. Intermediate code (PTX) stays where there is no
   * such cubin, since the driver compiles it then. Entries of any other kind stay.
   *
   * @param section whole section, little-endian; changed in place
   * @param sm 10 * major + minor
   * @throws BundleException if it is not what is described above; nothing is changed then
   */
  static Blanked blank(ByteBuffer section, int sm) {
    List<List<Entry>> binaries;
    try {
      binaries = read(section);
    } catch (IndexOutOfBoundsException | ArithmeticException e) {
      throw new BundleException("a fat binary ends outside of its section");
    }
    Blanked total = Blanked.NONE;
    for (List<Entry> entries : binaries) {
      total = total.plus(blank(section, entries, sm));
    }
    return total;
  }

  private static List<List<Entry>> read(ByteBuffer section) {
    List<List<Entry>> binaries = new ArrayList<>();
    int at = 0;
    while (at + HEADER_BYTES <= section.limit()) {
      int magic = section.getInt(at);
      if (magic == MAGIC) {
        int first = at + Short.toUnsignedInt(section.getShort(at + 6));
        int end = Math.addExact(first, Math.toIntExact(section.getLong(at + 8)));
        if (first < at + HEADER_BYTES || end < first || end > section.limit()) {
          throw new BundleException(
              "a fat binary, at byte %d of its section, does not fit in it".formatted(at));
        }
        binaries.add(entries(section, first, end));
        at = aligned(end);
      } else if (section.getLong(at) == 0) {
        at += ALIGNMENT; // Padding between them.
      } else {
        throw new BundleException(
            "expected a fat binary (%08x) at byte %d of its section, found %08x"
                .formatted(MAGIC, at, magic));
      }
    }
    return binaries;
  }

  private static List<Entry> entries(ByteBuffer section, int first, int end) {
    List<Entry> entries = new ArrayList<>();
    int at = first;
    while (at < end) {
      int headerBytes = section.getInt(at + 4);
      int payload = Math.toIntExact(section.getLong(at + 8));
      int next = Math.addExact(Math.addExact(at, headerBytes), payload);
      if (headerBytes < ENTRY_HEADER_BYTES || payload < 0 || next > end || next > section.limit()) {
        throw new BundleException(
            "an entry of a fat binary, at byte %d of its section, does not fit in it"
                .formatted(at));
      }
      entries.add(
          new Entry(
              Short.toUnsignedInt(section.getShort(at)),
              section.getInt(at + 28),
              at + headerBytes,
              payload));
      at = next;
    }
    return entries;
  }

  private static int aligned(int at) {
    return Math.addExact(at, ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  private static Blanked blank(ByteBuffer section, List<Entry> entries, int sm) {
    int chosen = 0;
    for (Entry entry : entries) {
      if (entry.kind == CUBIN && runsOn(entry.architecture, sm)) {
        chosen = Math.max(chosen, entry.architecture);
      }
    }
    int blanked = 0;
    long payloadBytes = 0;
    long blankedBytes = 0;
    for (Entry entry : entries) {
      payloadBytes += entry.bytes;
      boolean goes =
          entry.kind == CUBIN ? entry.architecture != chosen : entry.kind == PTX && chosen != 0;
      if (goes) {
        zero(section, entry.offset, entry.bytes);
        blanked++;
        blankedBytes += entry.bytes;
      }
    }
    return new Blanked(1, entries.size(), blanked, payloadBytes, blankedBytes);
  }

  private static boolean runsOn(int architecture, int sm) {
    return architecture / 10 == sm / 10 && architecture <= sm;
  }

  private static void zero(ByteBuffer section, int offset, int bytes) {
    int at = offset;
    for (int left = bytes; left > 0; left -= ZEROS.length) {
      int size = Math.min(left, ZEROS.length);
      section.put(at, ZEROS, 0, size);
      at += size;
    }
  }
}
