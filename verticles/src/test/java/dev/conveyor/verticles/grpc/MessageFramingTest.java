package dev.conveyor.verticles.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.core.buffer.Buffer;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class MessageFramingTest {

  @Property
  void shouldFindTheEndsWhereverTheBytesAreCut(
      @ForAll @Size(min = 1, max = 5) List<@IntRange(min = 0, max = 300) Integer> lengths,
      @ForAll @IntRange(min = 1, max = 400) int step) {
    Buffer all = Buffer.buffer();
    lengths.forEach(length -> all.appendBuffer(message(length)));
    MessageFraming framing = new MessageFraming();
    int cut = 0;
    while (cut < all.length()) {
      int next = Math.min(all.length(), cut + step);

      boolean ended = framing.accept(all.slice(cut, next));

      int before = endAtOrBefore(lengths, cut);
      int after = endAtOrBefore(lengths, next);
      assertThat(ended).isEqualTo(after > before);
      assertThat(framing.isMidMessage()).isEqualTo(after < next);
      cut = next;
    }
    assertThat(framing.isMidMessage()).isFalse();
  }

  @Test
  void shouldTakeTheLengthAsUnsigned() {
    MessageFraming framing = new MessageFraming();

    assertThat(framing.accept(Buffer.buffer(new byte[] {0, -1, -1, -1, -1, 1, 2, 3}))).isFalse();

    assertThat(framing.isMidMessage()).isTrue();
  }

  private static Buffer message(int length) {
    return Buffer.buffer().appendByte((byte) 1).appendInt(length).appendBytes(new byte[length]);
  }

  /** Returns the last end of a message that is not after {@code at}. */
  private static int endAtOrBefore(List<Integer> lengths, int at) {
    int end = 0;
    for (int length : lengths) {
      if (end + 5 + length > at) {
        break;
      }
      end += 5 + length;
    }
    return end;
  }
}
