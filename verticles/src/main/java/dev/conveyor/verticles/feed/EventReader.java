package dev.conveyor.verticles.feed;

import io.vertx.core.buffer.Buffer;
import java.nio.charset.StandardCharsets;

/**
 * Reads server-sent events out of the bytes of an answer, as they come (WHATWG HTML, 9.2.6). Not
 * thread-safe: owned by the event loop of the connection.
 */
public final class EventReader {

  /** Told each event; {@code id} is empty if the event has none of its own. */
  public interface Listener {
    void event(String name, String id, String data);
  }

  private static final int MAX_EVENT_BYTES = 64 << 20;

  private final Listener listener;
  private Buffer line = Buffer.buffer();
  private String name = "";
  private String id = "";
  private final StringBuilder data = new StringBuilder();

  /** Creates a reader. */
  public EventReader(Listener listener) {
    this.listener = listener;
  }

  /** Takes the next bytes, and tells every event that ends in them. */
  public void accept(Buffer bytes) {
    int from = 0;
    for (int i = 0; i < bytes.length(); i++) {
      if (bytes.getByte(i) == '\n') {
        line.appendBuffer(bytes, from, i - from);
        onLine(line.toString(StandardCharsets.UTF_8));
        line = Buffer.buffer();
        from = i + 1;
      }
    }
    line.appendBuffer(bytes, from, bytes.length() - from);
    if (line.length() + data.length() > MAX_EVENT_BYTES) {
      throw new FeedException("an event of the server is over " + MAX_EVENT_BYTES + " bytes");
    }
  }

  private void onLine(String text) {
    if (text.isEmpty()) {
      if (data.length() > 0) {
        listener.event(name, id, data.toString());
      }
      name = "";
      id = "";
      data.setLength(0);
    } else if (text.startsWith("event: ")) {
      name = text.substring("event: ".length());
    } else if (text.startsWith("id: ")) {
      id = text.substring("id: ".length());
    } else if (text.startsWith("data: ")) {
      data.append(text, "data: ".length(), text.length());
    }
  }
}
