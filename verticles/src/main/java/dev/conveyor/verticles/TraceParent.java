package dev.conveyor.verticles;

import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The {@code traceparent} of W3C Trace Context: which trace of the client's a request belongs to.
 * The server records no spans of its own; it keeps the header, through every step of an ensemble,
 * says it in its decisions and its log, and gives it back. Thread-safe: no state.
 */
public final class TraceParent {

  /** Header of HTTP, metadata of gRPC, header on the event bus. */
  public static final String HEADER = "traceparent";

  /** Of a request that belongs to none. */
  public static final String NONE = "";

  /** Versions to come may have more behind the flags. */
  private static final int MOST_CHARACTERS = 128;

  private static final Pattern FORM =
      Pattern.compile(
          "(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]*)?");

  /** The version that is defined has nothing more. */
  private static final int DEFINED_CHARACTERS = 55;

  private TraceParent() {}

  /** Returns the header if it is one; {@link #NONE} if there is none, or a malformed one. */
  public static String of(@Nullable String header) {
    return header != null
            && header.length() <= (header.startsWith("00") ? DEFINED_CHARACTERS : MOST_CHARACTERS)
            && FORM.matcher(header).matches()
        ? header
        : NONE;
  }
}
