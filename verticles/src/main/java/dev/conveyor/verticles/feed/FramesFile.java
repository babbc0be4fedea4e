package dev.conveyor.verticles.feed;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.verticles.stream.Frame;
import dev.conveyor.verticles.stream.JpegSplitter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** Reads pictures to play: a directory of JPEG and PNG, or a file of Motion JPEG. Stateless. */
public final class FramesFile {

  private static final int MAX_FRAME_BYTES = 64 << 20;

  private FramesFile() {}

  /**
   * Reads every picture into memory; those of a directory in the order of their names.
   *
   * @throws FeedException if there is none
   */
  public static List<byte[]> read(Path source) throws IOException {
    List<byte[]> frames = Files.isDirectory(source) ? directory(source) : motionJpeg(source);
    if (frames.isEmpty()) {
      throw new FeedException(
          source + ": found no picture, expected a directory of JPEGs and PNGs or a file of JPEGs");
    }
    return frames;
  }

  private static List<byte[]> directory(Path directory) throws IOException {
    List<byte[]> frames = new ArrayList<>();
    List<Path> files;
    try (Stream<Path> all = Files.list(directory)) {
      files = all.filter(FramesFile::isPicture).sorted().toList();
    }
    for (Path file : files) {
      frames.add(Files.readAllBytes(file));
    }
    return frames;
  }

  private static boolean isPicture(Path file) {
    String name = String.valueOf(file.getFileName()).toLowerCase(Locale.ROOT);
    return name.endsWith(".jpg") || name.endsWith(".jpeg") || name.endsWith(".png");
  }

  private static List<byte[]> motionJpeg(Path file) throws IOException {
    List<byte[]> frames = new ArrayList<>();
    byte[] bytes = Files.readAllBytes(file);
    BufferPool memory = new BufferPool(BlockAllocator.host(), Long.MAX_VALUE);
    JpegSplitter splitter = new JpegSplitter(memory.shareOf(""), MAX_FRAME_BYTES);
    splitter.accept(bytes, frame -> add(file, frame, frames));
    splitter.end(frame -> add(file, frame, frames));
    memory.close();
    return frames;
  }

  private static void add(Path file, Frame frame, List<byte[]> frames) {
    ByteBuffer element = frame.element();
    if (element == null) {
      throw new FeedException(
          "%s: frame %d: %s".formatted(file, frames.size(), String.valueOf(frame.refusal())));
    }
    byte[] picture = new byte[frame.sizeBytes()];
    element.get(Integer.BYTES, picture);
    frames.add(picture);
    frame.close();
  }
}
