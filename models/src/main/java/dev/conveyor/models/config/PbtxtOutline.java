package dev.conveyor.models.config;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Where each key of a text-format file stands, as key paths. Protobuf's parser says line and column
 * of a mistake but not which of many {@code dims} it is in.
 *
 * <p>Not a parser: it follows names, braces and lists, makes the best of malformed text and never
 * fails. Thread-confined: created, used and dropped by one call.
 */
final class PbtxtOutline {

  /**
   * A key in the text.
   *
   * @param parent type of the message that the key is in; null if unknown
   */
  record Entry(int line, int column, String path, String name, @Nullable Descriptor parent) {}

  private static final class Frame {
    private String path;
    private final @Nullable Descriptor type;
    private final Map<String, Integer> counts = new HashMap<>();
    private String key = "";
    private int listIndex = -1;
    private boolean expectsValue;

    Frame(String path, @Nullable Descriptor type) {
      this.path = path;
      this.type = type;
    }

    @Nullable FieldDescriptor field() {
      return type == null ? null : type.findFieldByName(key);
    }

    boolean isMapEntry() {
      return type != null && type.getOptions().getMapEntry();
    }
  }

  private final String text;
  private final List<Entry> entries = new ArrayList<>();
  private final Deque<Frame> frames = new ArrayDeque<>();
  private int at;
  private int line = 1;
  private int lineStart;

  private PbtxtOutline(String text, Descriptor type) {
    this.text = text;
    frames.push(new Frame("", type));
  }

  /** Returns the keys in the order of the text. */
  static List<Entry> of(String text, Descriptor type) {
    PbtxtOutline outline = new PbtxtOutline(text, type);
    while (outline.at < text.length()) {
      outline.next();
    }
    return outline.entries;
  }

  private Frame top() {
    return frames.getFirst();
  }

  private void next() {
    char c = text.charAt(at);
    if (c == '\n') {
      line++;
      lineStart = at + 1;
      at++;
    } else if (c == '#') {
      int end = text.indexOf('\n', at);
      at = end < 0 ? text.length() : end;
    } else if (c == '"' || c == '\'') {
      int start = at;
      skipString(c);
      onScalar(text.substring(Math.min(start + 1, at), Math.max(start + 1, at - 1)));
    } else if (isWord(c)) {
      onWord();
    } else {
      onPunctuation(c);
      at++;
    }
  }

  private void skipString(char quote) {
    at++;
    while (at < text.length() && text.charAt(at) != quote && text.charAt(at) != '\n') {
      at += text.charAt(at) == '\\' ? 2 : 1;
    }
    at = Math.min(at + 1, text.length());
  }

  private static boolean isWord(char c) {
    return Character.isLetterOrDigit(c) || c == '_' || c == '.' || c == '-' || c == '+';
  }

  private void onWord() {
    int start = at;
    while (at < text.length() && isWord(text.charAt(at))) {
      at++;
    }
    String word = text.substring(start, at);
    if (top().expectsValue) {
      onScalar(word);
    } else {
      top().key = word;
      top().expectsValue = true;
      enter(start);
    }
  }

  private void onScalar(String value) {
    Frame frame = top();
    if (frame.expectsValue && frame.isMapEntry() && frame.key.equals("key")) {
      frame.path = frame.path + "." + value;
      entries.add(new Entry(line, at - lineStart + 1, frame.path, value, null));
    }
    if (frame.listIndex < 0) {
      frame.expectsValue = false;
    }
  }

  private void onPunctuation(char c) {
    Frame frame = top();
    switch (c) {
      case '{', '<' -> {
        FieldDescriptor field = frame.field();
        boolean message = field != null && field.getJavaType() == FieldDescriptor.JavaType.MESSAGE;
        frames.push(
            new Frame(keyPath(frame), field != null && message ? field.getMessageType() : null));
      }
      case '}', '>' -> {
        if (frames.size() > 1) {
          frames.pop();
        }
        onScalar("");
      }
      case '[' -> frame.listIndex = frame.expectsValue ? 0 : -1;
      case ']' -> {
        frame.listIndex = -1;
        frame.expectsValue = false;
      }
      case ',' -> {
        if (frame.listIndex >= 0) {
          frame.listIndex++;
          enter(at + 1);
        }
      }
      default -> {}
    }
  }

  /** Notes a key, or the next element of its list. */
  private void enter(int position) {
    Frame frame = top();
    frame.counts.merge(frame.key, 1, Integer::sum);
    entries.add(new Entry(line, position - lineStart + 1, keyPath(frame), frame.key, frame.type));
  }

  private static String keyPath(Frame frame) {
    String path = frame.path.isEmpty() ? frame.key : frame.path + "." + frame.key;
    FieldDescriptor field = frame.field();
    boolean indexed = field != null && field.isRepeated() && !field.isMapField();
    return indexed ? path + "[" + (frame.counts.getOrDefault(frame.key, 1) - 1) + "]" : path;
  }
}
