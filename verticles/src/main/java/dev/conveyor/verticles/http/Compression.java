package dev.conveyor.verticles.http;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufInputStream;
import io.netty.buffer.Unpooled;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.regex.Pattern;
import java.util.zip.GZIPOutputStream;

/**
 * Gzip of answers, only when a client asks for it; {@link InflateStage} is the way back.
 * Thread-safe: no state.
 *
 * <p>Done here and not by a codec in the network pipeline, because that would cost every request.
 */
final class Compression {

  private static final int WORTH_BYTES = 1024;

  /** Gzip in a list of codings, without a weight of zero, which would refuse it. */
  private static final Pattern GZIP =
      Pattern.compile("\\bgzip\\b(?!\\s*;\\s*q=0(\\.0*)?\\s*(,|$))", Pattern.CASE_INSENSITIVE);

  private Compression() {}

  /**
   * Compresses an answer if the client accepts gzip and it is worth it; takes over {@code body}.
   */
  static ByteBuf deflate(HttpServerRequest request, HttpServerResponse response, ByteBuf body) {
    String accepted = request.getHeader(HttpHeaders.ACCEPT_ENCODING);
    if (accepted == null || body.readableBytes() < WORTH_BYTES || !GZIP.matcher(accepted).find()) {
      return body;
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream(body.readableBytes() / 2);
    try (GZIPOutputStream gzip = new GZIPOutputStream(out);
        ByteBufInputStream in = new ByteBufInputStream(body, true)) {
      in.transferTo(gzip);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    response.putHeader(HttpHeaders.CONTENT_ENCODING, "gzip");
    return Unpooled.wrappedBuffer(out.toByteArray());
  }
}
