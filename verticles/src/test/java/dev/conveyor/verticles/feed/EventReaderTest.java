package dev.conveyor.verticles.feed;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.core.buffer.Buffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class EventReaderTest {

  @Test
  void shouldReadEventsWhereverTheBytesAreCut() {
    Buffer bytes =
        Buffer.buffer(
            "event: result\nid: 7\ndata: {\"a\": \"ä\"}\n\n: nothing\n\nevent: end\ndata: {}\n\n");
    for (int piece = 1; piece <= bytes.length(); piece++) {
      List<String> seen = new ArrayList<>();
      EventReader reader =
          new EventReader((name, id, data) -> seen.add(name + "|" + id + "|" + data));
      for (int from = 0; from < bytes.length(); from += piece) {
        reader.accept(bytes.getBuffer(from, Math.min(bytes.length(), from + piece)));
      }
      assertThat(seen).containsExactly("result|7|{\"a\": \"ä\"}", "end||{}");
    }
  }
}
