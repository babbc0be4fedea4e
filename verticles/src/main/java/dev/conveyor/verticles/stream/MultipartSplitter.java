package dev.conveyor.verticles.stream;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import dev.conveyor.memory.PoolShare;
import dev.conveyor.models.InferenceException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;

/**
 * Cuts the parts of {@code multipart/x-mixed-replace}, as network cameras send them (RFC 2046,
 * 5.1).
 *
 * <p>A part with a {@code Content-Length} is handed over with its last byte; without one, when the
 * delimiter of the next part is there, which is a frame later. A length that does not agree with
 * the delimiter refuses the part, not the stream.
 */
public final class MultipartSplitter implements FrameSplitter {

  private static final int MAX_HEAD_BYTES = 8 * 1024;
  private static final int MAX_BOUNDARY_CHARS = 70;
  private static final int MAX_PREAMBLE_BYTES = 64 * 1024;

  private enum State {
    /** Outside of parts: bytes are skipped up to the next delimiter. */
    SKIP,
    /** Behind a delimiter, up to the end of its line. */
    DELIMITER_LINE,
    HEAD,
    BODY,
    /** Behind the last delimiter. */
    END
  }

  /**
   * What the delimiter may be, until the first one shows it. Each begins with a line feed and has
   * no other, so a partial match overlaps no other.
   */
  private final List<byte[]> spellings = new ArrayList<>();

  private final int[] spelled;
  private byte[] delimiter;

  private final FrameBuffer frame;
  private final StringBuilder line = new StringBuilder();
  private State state = State.SKIP;
  private int matched;
  private int headBytes;
  private long contentLength = -1;
  private boolean begun;
  private long preamble;

  /**
   * Creates a splitter.
   *
   * @param boundary as in the content type
   * @param memory of the model's requests, which frames count against
   * @param maxBytes largest part
   */
  public MultipartSplitter(String boundary, PoolShare memory, int maxBytes) {
    spellings.add(("\n--" + boundary).getBytes(ISO_8859_1));
    if (boundary.matches("--.*[^-].*")) {
      // Some cameras name the boundary with the two dashes that belong to the delimiter.
      spellings.add(("\n" + boundary).getBytes(ISO_8859_1));
    }
    this.delimiter = spellings.get(0);
    this.spelled = new int[spellings.size()];
    Arrays.fill(spelled, 1); // the first delimiter needs no line end before it
    this.frame = new FrameBuffer(memory, maxBytes, 1);
  }

  /**
   * Returns the boundary of a content type.
   *
   * @throws InferenceException INVALID_REQUEST if it names none that is usable
   */
  public static String boundary(String contentType) {
    for (String parameter : contentType.split(";", -1)) {
      String[] pair = parameter.strip().split("=", 2);
      if (pair.length == 2 && pair[0].strip().toLowerCase(Locale.ROOT).equals("boundary")) {
        String value = pair[1].strip();
        if (value.length() >= 2 && value.startsWith("\"") && value.endsWith("\"")) {
          value = value.substring(1, value.length() - 1);
        }
        if (!value.isEmpty()
            && value.length() <= MAX_BOUNDARY_CHARS
            && value.chars().noneMatch(c -> c < ' ')) {
          return value;
        }
      }
    }
    throw InferenceException.invalid(
        "content-type must name a boundary of 1 to %d characters, was '%s'"
            .formatted(MAX_BOUNDARY_CHARS, contentType));
  }

  @Override
  public void accept(byte[] bytes, Consumer<Frame> frames) {
    int i = 0;
    while (i < bytes.length) {
      i =
          switch (state) {
            case SKIP, BODY -> begun ? scan(bytes, i, frames) : preamble(bytes, i, frames);
            case DELIMITER_LINE -> delimiterLine(bytes, i);
            case HEAD -> head(bytes, i, frames);
            case END -> bytes.length;
          };
    }
  }

  /**
   * Some cameras send the delimiter behind a frame, with nothing of the next one. A part without a
   * length may be complete: only what comes after it tells.
   */
  @Override
  public boolean isMidFrame() {
    return (state == State.HEAD && headBytes > 0) || (state == State.BODY && contentLength >= 0);
  }

  @Override
  public void end(Consumer<Frame> frames) {
    if (state == State.BODY || state == State.HEAD) {
      frame.refuse(
          InferenceException.invalid(
              "the stream ended in the middle of a frame, after %d bytes of it"
                  .formatted(frame.length() + matched)));
      frame.tellRefusal(frames);
    } else if (!begun) {
      frames.accept(Frame.refused(noDelimiter()));
    }
    close();
  }

  @Override
  public void close() {
    frame.clear();
    state = State.END;
  }

  /** Goes on to the first delimiter. */
  private int preamble(byte[] bytes, int from, Consumer<Frame> frames) {
    for (int i = from; i < bytes.length; i++) {
      for (int s = 0; s < spelled.length; s++) {
        byte[] spelling = spellings.get(s);
        spelled[s] = bytes[i] == spelling[spelled[s]] ? spelled[s] + 1 : bytes[i] == '\n' ? 1 : 0;
        if (spelled[s] == spelling.length) {
          delimiter = spelling;
          onDelimiter(frames);
          return i + 1;
        }
      }
    }
    preamble += bytes.length - from;
    if (preamble > MAX_PREAMBLE_BYTES) {
      throw noDelimiter();
    }
    return bytes.length;
  }

  /** Goes on to the end of a body or to the next delimiter, whatever comes first. */
  private int scan(byte[] bytes, int from, Consumer<Frame> frames) {
    boolean measured = state == State.BODY && contentLength >= 0;
    long wanted = measured ? contentLength - frame.length() - matched : Long.MAX_VALUE;
    int end = (int) Math.min(bytes.length, from + Math.min(wanted, Integer.MAX_VALUE - from));
    int i = from;
    while (i < end) {
      if (matched == 0) {
        int runStart = i;
        while (i < end && bytes[i] != delimiter[0]) {
          i++;
        }
        body(bytes, runStart, i);
        if (i < end) {
          matched = 1;
          i++;
        }
      } else if (bytes[i] == delimiter[matched]) {
        i++;
        matched++;
        if (matched == delimiter.length) {
          matched = 0;
          onDelimiter(frames);
          return i;
        }
      } else {
        body(delimiter, 0, matched);
        matched = 0;
      }
    }
    if (measured && frame.length() + matched == contentLength) {
      body(delimiter, 0, matched);
      frame.finish(frames);
      skip();
    } else if (state == State.BODY) {
      frame.tellRefusal(frames);
    }
    return end;
  }

  /** The part is over. Some cameras send no line end between a part and the delimiter. */
  private void skip() {
    state = State.SKIP;
    matched = 1;
  }

  private InferenceException noDelimiter() {
    return InferenceException.invalid(
        "no part in the first %d bytes: the delimiter of the content type, '%s', did not come"
            .formatted(preamble, new String(delimiter, 1, delimiter.length - 1, ISO_8859_1)));
  }

  private void onDelimiter(Consumer<Frame> frames) {
    if (state == State.BODY) {
      frame.dropLast((byte) '\r');
      if (contentLength >= 0) {
        frame.refuse(
            InferenceException.invalid(
                "content-length is %d, the part has %d bytes"
                    .formatted(contentLength, frame.length())));
      }
      frame.finish(frames);
    }
    begun = true;
    state = State.DELIMITER_LINE;
    line.setLength(0);
    headBytes = 0;
  }

  private int delimiterLine(byte[] bytes, int from) {
    int i = readLine(bytes, from);
    if (line.length() >= 2 && line.charAt(0) == '-' && line.charAt(1) == '-') {
      state = State.END;
    } else if (bytes[i - 1] == '\n') {
      state = State.HEAD;
      line.setLength(0);
      headBytes = 0;
      contentLength = -1;
    }
    return i;
  }

  private int head(byte[] bytes, int from, Consumer<Frame> frames) {
    int i = readLine(bytes, from);
    if (bytes[i - 1] != '\n') {
      return i;
    }
    String header = line.toString().strip();
    line.setLength(0);
    if (!header.isEmpty()) {
      onHeader(header);
      return i;
    }
    state = State.BODY;
    matched = 0;
    if (contentLength == 0) {
      frame.refuse(InferenceException.invalid("the part has no bytes"));
    }
    frame.expect(contentLength);
    frame.tellRefusal(frames);
    if (contentLength == 0) {
      frame.clear();
      skip();
    }
    return i;
  }

  /** Appends to the line up to its end; returns where to go on. */
  private int readLine(byte[] bytes, int from) {
    int i = from;
    while (i < bytes.length) {
      char c = (char) (bytes[i++] & 0xFF);
      line.append(c);
      if (++headBytes > MAX_HEAD_BYTES) {
        throw InferenceException.invalid(
            "the head of a part has more than %d bytes".formatted(MAX_HEAD_BYTES));
      }
      if (c == '\n') {
        break;
      }
    }
    return i;
  }

  private void onHeader(String header) {
    int colon = header.indexOf(':');
    if (colon > 0 && header.substring(0, colon).strip().equalsIgnoreCase("content-length")) {
      String value = header.substring(colon + 1).strip();
      try {
        contentLength = Math.max(-1, Long.parseLong(value));
      } catch (NumberFormatException e) {
        contentLength = -1; // then the delimiter tells
      }
    }
  }

  private void body(byte[] bytes, int from, int end) {
    if (state == State.BODY) {
      frame.append(bytes, from, end - from);
    }
  }
}
