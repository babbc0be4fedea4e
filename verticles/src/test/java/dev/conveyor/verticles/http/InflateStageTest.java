package dev.conveyor.verticles.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import java.util.zip.DeflaterOutputStream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class InflateStageTest {

  private static final int MAX_BYTES = 1 << 20;

  /** Turns of an event loop by hand. */
  private static final class Turns implements InflateStage.Flow {

    private final Deque<Runnable> tasks = new ArrayDeque<>();
    private boolean paused;

    @Override
    public void pause() {
      paused = true;
    }

    @Override
    public void resume() {
      paused = false;
    }

    @Override
    public void later(Runnable task) {
      tasks.add(task);
    }
  }

  private final Turns turns = new Turns();
  private final ByteArrayOutputStream plain = new ByteArrayOutputStream();
  private final List<InferenceException> failures = new ArrayList<>();
  private int ends;

  @ParameterizedTest
  @ValueSource(strings = {"gzip", "deflate"})
  void shouldGiveBackWhatWasCompressedHoweverItIsCutUp(String encoding) throws IOException {
    byte[] data = new byte[100_000];
    new Random(7).nextBytes(data);
    byte[] compressed = compress(encoding, data);
    for (int part : new int[] {1, 1000, compressed.length}) {
      plain.reset();
      ends = 0;
      InflateStage stage = stage(encoding);
      feed(stage, compressed, part);
      stage.end();
      runTurns();

      assertThat(failures).isEmpty();
      assertThat(plain.toByteArray()).isEqualTo(data);
      assertThat(ends).isEqualTo(1);
    }
  }

  @Test
  void shouldLetOthersHaveTheirTurnAfterAMegabyte() throws IOException {
    int size = 20 << 20;
    InflateStage stage = stage("gzip");
    byte[] bomb = compress("gzip", new byte[size]);
    ByteBuf part = Unpooled.wrappedBuffer(bomb);
    stage.accept(part);
    stage.end();
    part.release();
    int turnsTaken = 1;
    int before = plain.size();
    assertThat(before).as("one piece more than a megabyte at most").isBetween(1 << 20, 3 << 20);
    assertThat(turns.paused).isTrue();
    while (!turns.tasks.isEmpty()) {
      turns.tasks.remove().run();
      assertThat(plain.size() - before).isLessThanOrEqualTo(3 << 20);
      before = plain.size();
      turnsTaken++;
    }

    assertThat(plain.size()).isEqualTo(size);
    assertThat(ends).isEqualTo(1);
    assertThat(turns.paused).isFalse();
    assertThat(turnsTaken).isBetween(7, 21);
    assertThat(part.refCnt()).isZero();
  }

  @Test
  void shouldStopWhenNobodyWantsTheRest() throws IOException {
    InflateStage stage = stage("gzip");
    ByteBuf part = Unpooled.wrappedBuffer(compress("gzip", new byte[20 << 20]));
    stage.accept(part);
    stage.close();
    part.release();
    int before = plain.size();
    runTurns();

    assertThat(plain.size()).isEqualTo(before);
    assertThat(ends).isZero();
    assertThat(part.refCnt()).isZero();
    assertThat(turns.paused).as("what follows on the connection is read").isFalse();
  }

  @Test
  void shouldRefuseWhatIsDamagedOrCutOffOrTooLarge() throws IOException {
    byte[] random = new byte[5000];
    new Random(7).nextBytes(random);
    byte[] whole = compress("gzip", random);
    InflateStage cut = stage("gzip");
    feed(cut, java.util.Arrays.copyOf(whole, whole.length - 10), 1000);
    cut.end();
    InflateStage damaged = stage("gzip");
    feed(damaged, "this is no gzip at all".getBytes(java.nio.charset.StandardCharsets.UTF_8), 5);
    InflateStage tooLarge = stage("gzip");
    feed(tooLarge, new byte[] {0x1f, (byte) 0x8b}, 1);
    ByteBuf rest = Unpooled.wrappedBuffer(new byte[MAX_BYTES]);
    tooLarge.accept(rest);
    rest.release();

    assertThat(failures)
        .extracting(InferenceException::code)
        .containsExactly(ErrorCode.INVALID_REQUEST, ErrorCode.INVALID_REQUEST, ErrorCode.TOO_LARGE);
    assertThat(failures.get(0)).hasMessageContaining("not valid gzip");
    assertThat(ends).isZero();
    assertThatThrownBy(() -> stage("br"))
        .isInstanceOf(InferenceException.class)
        .hasMessageContaining("'br' is not supported");
  }

  private InflateStage stage(String encoding) {
    return new InflateStage(
        encoding,
        MAX_BYTES,
        part -> {
          byte[] bytes = new byte[part.readableBytes()];
          part.readBytes(bytes);
          plain.writeBytes(bytes);
        },
        () -> ends++,
        failures::add,
        turns);
  }

  private void runTurns() {
    while (!turns.tasks.isEmpty()) {
      turns.tasks.remove().run();
    }
  }

  private static void feed(InflateStage stage, byte[] bytes, int partBytes) {
    for (int at = 0; at < bytes.length; at += partBytes) {
      ByteBuf part = Unpooled.copiedBuffer(bytes, at, Math.min(partBytes, bytes.length - at));
      stage.accept(part);
      part.release();
    }
  }

  private static byte[] compress(String encoding, byte[] data) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (OutputStream packed =
        encoding.equals("gzip") ? new GZIPOutputStream(out) : new DeflaterOutputStream(out)) {
      packed.write(data);
    }
    return out.toByteArray();
  }
}
