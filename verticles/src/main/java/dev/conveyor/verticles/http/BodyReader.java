package dev.conveyor.verticles.http;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.Lease;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import io.netty.buffer.ByteBuf;
import io.vertx.core.http.HttpServerRequest;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Reads the body of one request: small ones on the heap, the tensor bytes of large ones straight
 * into a lease, where a device can read them without another copy.
 *
 * <p>Thread-confined: one event loop. Answers once, and holds no memory afterwards. A lease is
 * taken when the first large bytes arrive, and returned if the client goes away in the middle.
 */
final class BodyReader implements BodyTap.Sink {

  /** Told once. Exactly one argument is set. */
  interface Done {
    void handle(@Nullable Body body, @Nullable InferenceException failure);
  }

  /** Bodies below this are not worth a lease. */
  private static final int LEASE_FROM_BYTES = 16 * 1024;

  /** What is believed of a claimed length before any of it has come. */
  private static final int FIRST_HEAP_BYTES = 64 * 1024;

  private final BufferPool pool;
  private final int maxBytes;
  private final int headLength;
  private final long contentLength;
  private final Done done;
  private byte[] heap = new byte[0];
  private int heapBytes;
  private @Nullable Lease lease;
  private int leaseBytes;
  private boolean answered;

  private BodyReader(BufferPool pool, int maxBytes, int headLength, long contentLength, Done done) {
    this.pool = pool;
    this.maxBytes = maxBytes;
    this.headLength = headLength;
    this.contentLength = contentLength;
    this.done = done;
  }

  /**
   * Starts reading.
   *
   * @param headLength length of the JSON head, or -1 if the body is JSON only
   */
  static void read(
      HttpServerRequest request, BufferPool pool, int maxBytes, int headLength, Done done) {
    long length = contentLength(request);
    BodyReader reader = new BodyReader(pool, maxBytes, headLength, length, done);
    if (length > maxBytes) {
      reader.fail(tooLarge(length, maxBytes));
      return;
    }
    if (headLength > length && length >= 0) {
      reader.fail(
          InferenceException.invalid(
              "Inference-Header-Content-Length is %d, the body has %d bytes"
                  .formatted(headLength, length)));
      return;
    }
    if (!BodyTap.open(request.connection(), reader)) {
      request.handler(chunk -> reader.accept(Chunks.bytes(chunk)));
    }
    request.endHandler(v -> reader.end());
    request.exceptionHandler(
        e -> reader.fail(new InferenceException(ErrorCode.CANCELLED, "the client went away")));
  }

  @Override
  public void accept(ByteBuf part) {
    if (answered) {
      return;
    }
    int length = part.readableBytes();
    if ((long) heapBytes + leaseBytes + length > maxBytes) {
      fail(tooLarge((long) heapBytes + leaseBytes + length, maxBytes));
      return;
    }
    if (!usesLease()) {
      toHeap(part, length);
      return;
    }
    int head = Math.min(length, headLength - heapBytes);
    if (head > 0) {
      toHeap(part, head);
    }
    if (part.isReadable()) {
      toLease(part);
    }
  }

  private boolean usesLease() {
    return headLength >= 0 && contentLength - headLength >= LEASE_FROM_BYTES;
  }

  private void end() {
    if (answered) {
      return;
    }
    if (headLength > heapBytes) {
      fail(
          InferenceException.invalid(
              "Inference-Header-Content-Length is %d, the body has %d bytes"
                  .formatted(headLength, heapBytes)));
      return;
    }
    if (lease != null && leaseBytes < lease.sizeBytes()) {
      // The rest of the lease holds what other clients sent.
      fail(
          InferenceException.invalid(
              "content-length is %d, the body has %d bytes"
                  .formatted(contentLength, heapBytes + leaseBytes)));
      return;
    }
    answered = true;
    int head = headLength < 0 ? heapBytes : headLength;
    done.handle(new Body(ByteBuffer.wrap(heap, 0, heapBytes), head, lease), null);
  }

  private void fail(InferenceException failure) {
    if (answered) {
      return;
    }
    answered = true;
    if (lease != null) {
      lease.close();
      lease = null;
    }
    done.handle(null, failure);
  }

  private void toHeap(ByteBuf part, int length) {
    if (heap.length - heapBytes < length) {
      long known = usesLease() ? headLength : Math.min(contentLength, FIRST_HEAP_BYTES);
      long wanted = heapBytes == 0 ? known : Math.min(maxBytes, 2L * heap.length);
      heap = Arrays.copyOf(heap, (int) Math.max(heapBytes + (long) length, wanted));
    }
    part.readBytes(heap, heapBytes, length);
    heapBytes += length;
  }

  private void toLease(ByteBuf part) {
    if (lease == null) {
      lease = pool.tryAcquire(contentLength - headLength).orElse(null);
      if (lease == null) {
        fail(
            new InferenceException(
                ErrorCode.QUEUE_FULL,
                "no memory for a body of %d bytes: %d of %d bytes for requests are in use"
                    .formatted(contentLength, pool.leasedBytes(), pool.maxBytes())));
        return;
      }
    }
    int length = part.readableBytes();
    if (length > lease.sizeBytes() - leaseBytes) {
      fail(InferenceException.invalid("the body is longer than its content-length"));
      return;
    }
    part.readBytes(lease.buffer().slice(leaseBytes, length));
    leaseBytes += length;
  }

  private static long contentLength(HttpServerRequest request) {
    String value = request.getHeader("content-length");
    if (value == null) {
      return -1;
    }
    try {
      return Long.parseLong(value);
    } catch (NumberFormatException e) {
      return -1;
    }
  }

  private static InferenceException tooLarge(long found, int max) {
    return new InferenceException(
        ErrorCode.TOO_LARGE,
        "the request body has at least %d bytes, the limit is %d".formatted(found, max));
  }
}
