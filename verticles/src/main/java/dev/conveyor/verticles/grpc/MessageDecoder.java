package dev.conveyor.verticles.grpc;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Parser;
import com.google.protobuf.UnsafeByteOperations;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import io.netty.buffer.ByteBuf;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.internal.buffer.BufferInternal;
import io.vertx.grpc.common.GrpcMessage;
import io.vertx.grpc.common.GrpcMessageDecoder;
import io.vertx.grpc.common.WireFormat;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.zip.GZIPInputStream;
import java.util.zip.InflaterInputStream;

/**
 * Parses messages without copying their bytes fields, and inflates only up to the limit that holds
 * for plain messages: the library's own decoder copies, and inflates without limit.
 *
 * <p>Thread-safe. A parsed message refers to the memory it was received in, which the transport
 * allocates on the heap for each message and does not use again.
 */
final class MessageDecoder<T> implements GrpcMessageDecoder<T> {

  private final Parser<T> parser;
  private final int maxMessageBytes;

  MessageDecoder(Parser<T> parser, int maxMessageBytes) {
    this.parser = parser;
    this.maxMessageBytes = maxMessageBytes;
  }

  /**
   * Returns the parsed message.
   *
   * @throws InferenceException if the encoding is unknown, the message too large or malformed
   */
  @Override
  public T decode(GrpcMessage message) {
    ByteString bytes =
        switch (message.encoding()) {
          case "identity" -> view(message.payload());
          case "gzip", "deflate" -> inflate(message.encoding(), message.payload());
          default ->
              throw new InferenceException(
                  ErrorCode.UNSUPPORTED,
                  "grpc-encoding '"
                      + message.encoding()
                      + "' is not supported, gzip and deflate are");
        };
    try {
      CodedInputStream in = bytes.newCodedInput();
      in.enableAliasing(true);
      T parsed = parser.parseFrom(in);
      in.checkLastTagWas(0);
      return parsed;
    } catch (InvalidProtocolBufferException e) {
      throw InferenceException.invalid("failed to parse the request message: " + e.getMessage());
    }
  }

  @Override
  public boolean accepts(WireFormat format) {
    return format == WireFormat.PROTOBUF;
  }

  private static ByteString view(Buffer payload) {
    ByteBuf buffer = ((BufferInternal) payload).getByteBuf();
    return buffer.hasArray()
        ? UnsafeByteOperations.unsafeWrap(
            buffer.array(), buffer.arrayOffset() + buffer.readerIndex(), buffer.readableBytes())
        : UnsafeByteOperations.unsafeWrap(payload.getBytes());
  }

  private ByteString inflate(String encoding, Buffer payload) {
    ByteArrayInputStream deflated = new ByteArrayInputStream(payload.getBytes());
    try (InputStream in =
        encoding.equals("gzip")
            ? new GZIPInputStream(deflated, 8192)
            : new InflaterInputStream(deflated)) {
      byte[] inflated = in.readNBytes(maxMessageBytes);
      if (in.read() != -1) {
        throw new InferenceException(
            ErrorCode.TOO_LARGE,
            "Received message larger than max (" + maxMessageBytes + " bytes) after inflating");
      }
      return UnsafeByteOperations.unsafeWrap(inflated);
    } catch (IOException e) {
      throw InferenceException.invalid("malformed " + encoding + ": " + e.getMessage());
    }
  }
}
