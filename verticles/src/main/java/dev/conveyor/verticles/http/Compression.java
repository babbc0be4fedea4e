package dev.conveyor.verticles.http;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufInputStream;
import io.netty.buffer.Unpooled;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.regex.Pattern;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import java.util.zip.InflaterInputStream;
import org.jspecify.annotations.Nullable;

/**
 * Gzip and deflate of bodies, only when a client asks for it. Thread-safe: no state.
 *
 * <p>Done here and not by a codec in the network pipeline, because that would cost every request,
 * and because what comes out must stay within the message limit.
 */
final class Compression {

  private static final int WORTH_BYTES = 1024;

  /** Gzip in a list of codings, without a weight of zero, which would refuse it. */
  private static final Pattern GZIP =
      Pattern.compile("\\bgzip\\b(?!\\s*;\\s*q=0(\\.0*)?\\s*(,|$))", Pattern.CASE_INSENSITIVE);

  private Compression() {}

  /**
   * Returns the body as it was before the client compressed it.
   *
   * @throws InferenceException if it is not what the encoding says, or over {@code maxBytes}
   */
  static Body inflate(Body body, @Nullable String encoding, int headLength, int maxBytes) {
    if (encoding == null || encoding.equals("identity")) {
      return body;
    }
    ByteBuffer heap = body.heap();
    InputStream raw = new ByteArrayInputStream(heap.array(), heap.arrayOffset(), heap.remaining());
    try (InputStream in = open(encoding, raw)) {
      byte[] plain = in.readNBytes(maxBytes);
      if (in.read() >= 0) {
        throw new InferenceException(
            ErrorCode.TOO_LARGE,
            "the decompressed request body is over the limit of " + maxBytes + " bytes");
      }
      if (headLength > plain.length) {
        throw InferenceException.invalid(
            "Inference-Header-Content-Length is %d, the decompressed body has %d bytes"
                .formatted(headLength, plain.length));
      }
      int head = headLength < 0 ? plain.length : headLength;
      return new Body(ByteBuffer.wrap(plain), head, null);
    } catch (IOException e) {
      throw InferenceException.invalid(
          "the request body is not valid " + encoding + ": " + e.getMessage());
    }
  }

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

  private static InputStream open(String encoding, InputStream raw) throws IOException {
    return switch (encoding) {
      case "gzip" -> new GZIPInputStream(raw);
      case "deflate" -> new InflaterInputStream(raw);
      default ->
          throw new InferenceException(
              ErrorCode.UNSUPPORTED, "content-encoding '" + encoding + "' is not supported");
    };
  }
}
