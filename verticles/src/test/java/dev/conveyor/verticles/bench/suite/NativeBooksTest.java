package dev.conveyor.verticles.bench.suite;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeBooksTest {

  private static final long BYTES = 300_000;

  @TempDir Path work;

  @Test
  void shouldReadAPage() {
    NativeBooks.Page page =
        NativeBooks.Page.parse(
            List.of("total 70 4", "50 1 liba.so+0x1 libb.so+0x2", "15 2 ?", "5 1 ?"));

    assertThat(page.bytes()).isEqualTo(70);
    assertThat(page.blocks()).isEqualTo(4);
    assertThat(page.places())
        .containsExactly(Map.entry("liba.so+0x1 libb.so+0x2", 50L), Map.entry("?", 20L));
  }

  @Test
  void shouldNameGrownPlacesTheLargestFirst() {
    NativeBooks.Page before = NativeBooks.Page.parse(List.of("total 60 3", "50 1 a", "10 2 b"));
    NativeBooks.Page after =
        NativeBooks.Page.parse(List.of("total 135 5", "51 1 a", "9 2 b", "75 2 c"));

    assertThat(after.grownSince(before)).containsExactly("75 at c", "1 at a");
  }

  @Test
  void shouldCountWhatNativeCodeHoldsToTheByte() throws Exception {
    assumeTrue(Programs.isInstalled("gcc"), "a C compiler is needed to build the books");
    NativeBooks books = NativeBooks.build(Path.of(".."), work);
    Process process = holder(books);
    try (OutputStream in = process.getOutputStream()) {
      assertThat(process.getInputStream().read()).isEqualTo('.');
      NativeBooks.Page empty = books.read();
      tell(in, 'a', process);
      NativeBooks.Page one = books.read();
      tell(in, 'a', process);
      NativeBooks.Page two = books.read();
      tell(in, 'f', process);
      tell(in, 'f', process);
      NativeBooks.Page none = books.read();

      assertThat(one.blocks()).isEqualTo(empty.blocks() + 1);
      assertThat(one.bytes() - empty.bytes()).isEqualTo(BYTES);
      assertThat(two.bytes() - one.bytes()).isEqualTo(BYTES);
      assertThat(none.bytes()).isEqualTo(empty.bytes());
      assertThat(two.grownSince(empty)).singleElement().asString().contains("holder");
    } finally {
      process.destroyForcibly();
    }
  }

  private static void tell(OutputStream in, char what, Process process) throws IOException {
    in.write(what);
    in.flush();
    assertThat(process.getInputStream().read()).isEqualTo('.');
  }

  /** A program that takes a block for each a, and frees the last for each f. */
  private Process holder(NativeBooks books) throws IOException, InterruptedException {
    Path source = work.resolve("holder.c");
    Files.writeString(
        source,
        """
        #include <stdlib.h>
        #include <unistd.h>
        int main(void) {
          static void *held[16];
          int used = 0;
          char c = '.';
          do {
            if (c == 'a') held[used++] = malloc(%d);
            if (c == 'f') free(held[--used]);
            if (write(1, ".", 1) != 1) return 1;
          } while (read(0, &c, 1) == 1);
          return 0;
        }
        """
            .formatted(BYTES));
    Path program = work.resolve("holder");
    List<String> compile =
        List.of("gcc", "-O0", "-rdynamic", "-o", program.toString(), source.toString());
    assertThat(new ProcessBuilder(compile).inheritIO().start().waitFor()).isZero();
    ProcessBuilder builder = new ProcessBuilder(program.toString());
    builder.environment().putAll(books.environment());
    return builder.start();
  }
}
