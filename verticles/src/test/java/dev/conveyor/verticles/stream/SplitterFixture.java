package dev.conveyor.verticles.stream;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.PoolShare;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import javax.imageio.ImageIO;

/** Bytes of streams, and what splitters make of them. Not thread-safe: owned by one test. */
final class SplitterFixture {

  static final int MAX_BYTES = 64 * 1024;

  final BufferPool pool = new BufferPool(BlockAllocator.host(), 1 << 20);
  final PoolShare share = pool.shareOf("camera");
  final List<byte[]> frames = new ArrayList<>();
  final List<String> refusals = new ArrayList<>();

  /** Feeds everything in pieces of {@code piece} bytes, and ends the stream. */
  SplitterFixture feed(FrameSplitter splitter, int piece, byte[] bytes) {
    pieces(splitter, piece, bytes);
    splitter.end(this::take);
    assertThat(pool.leasedBytes()).as("memory of requests").isZero();
    return this;
  }

  void pieces(FrameSplitter splitter, int piece, byte[] bytes) {
    for (int from = 0; from < bytes.length; from += piece) {
      splitter.accept(
          Arrays.copyOfRange(bytes, from, Math.min(bytes.length, from + piece)), this::take);
    }
  }

  void take(Frame frame) {
    if (frame.refusal() != null) {
      refusals.add(frame.refusal().getMessage());
    } else {
      byte[] bytes = new byte[frame.sizeBytes()];
      frame.element().get(frame.element().position() + Integer.BYTES, bytes);
      assertThat(frame.element().getInt(0)).isEqualTo(bytes.length);
      frames.add(bytes);
    }
    frame.close();
  }

  static byte[] jpeg(int size, Color color) {
    BufferedImage image = new BufferedImage(size, size, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = image.createGraphics();
    graphics.setColor(color);
    graphics.fillRect(0, 0, size, size);
    graphics.setColor(Color.ORANGE);
    graphics.drawLine(0, 0, size, size / 2);
    graphics.dispose();
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try {
      ImageIO.write(image, "jpg", out);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }

  static byte[] concat(Object... parts) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (Object part : parts) {
      out.writeBytes(
          part instanceof byte[] bytes
              ? bytes
              : part.toString().getBytes(java.nio.charset.StandardCharsets.ISO_8859_1));
    }
    return out.toByteArray();
  }
}
