package dev.conveyor.verticles.http;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufInputStream;
import io.netty.buffer.Unpooled;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.regex.Pattern;
import java.util.zip.DeflaterOutputStream;
import java.util.zip.GZIPOutputStream;
import org.jspecify.annotations.Nullable;

/**
 * Compression of answers, only when a client asks for it; {@link InflateStage} is the way back.
 * Thread-safe: no state.
 *
 * <p>Done here and not by a codec in the network pipeline, because that would cost every request.
 */
final class Compression {

  private static final int WORTH_BYTES = 1024;

  /** Codings that a client may ask for, the best one first. */
  private static final List<String> CODINGS = List.of("gzip", "deflate");

  /** Each in a list of codings, without a weight of zero, which would refuse it. */
  private static final List<Pattern> ACCEPTED =
      CODINGS.stream()
          .map(
              coding ->
                  Pattern.compile(
                      "\\b" + coding + "\\b(?!\\s*;\\s*q=0(\\.0*)?\\s*(,|$))",
                      Pattern.CASE_INSENSITIVE))
          .toList();

  private Compression() {}

  /**
   * Compresses an answer if the client accepts that and it is worth it; takes over {@code body}.
   */
  static ByteBuf deflate(HttpServerRequest request, HttpServerResponse response, ByteBuf body) {
    String accepted = request.getHeader(HttpHeaders.ACCEPT_ENCODING);
    String coding =
        accepted == null || body.readableBytes() < WORTH_BYTES ? null : coding(accepted);
    if (coding == null) {
      return body;
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream(body.readableBytes() / 2);
    try (OutputStream deflater =
            coding.equals("gzip") ? new GZIPOutputStream(out) : new DeflaterOutputStream(out);
        ByteBufInputStream in = new ByteBufInputStream(body, true)) {
      in.transferTo(deflater);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    response.putHeader(HttpHeaders.CONTENT_ENCODING, coding);
    return Unpooled.wrappedBuffer(out.toByteArray());
  }

  private static @Nullable String coding(String accepted) {
    for (int i = 0; i < CODINGS.size(); i++) {
      if (ACCEPTED.get(i).matcher(accepted).find()) {
        return CODINGS.get(i);
      }
    }
    return null;
  }
}
