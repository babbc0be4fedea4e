package dev.conveyor.verticles.http;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.HeapShare;
import dev.conveyor.memory.Lease;
import dev.conveyor.memory.PoolShare;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.verticles.BodyWatch;
import io.netty.buffer.ByteBuf;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpHeaders;
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
 * Large bodies on the heap, JSON or compressed, count against the same memory.
 *
 * <p>While that memory is short, a large body is not begun: nothing is read from its connection,
 * and its sender feels that. Bodies that have begun go on, for only their ends give memory back.
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

  /**
   * What every body of a front end shares.
   *
   * @param pool where large bodies are read into
   * @param maxBytes largest body, also after decompression
   * @param watch ends the patience with slow ones
   */
  record Limits(Vertx vertx, BufferPool pool, int maxBytes, BodyWatch watch) {}

  private final BufferPool pool;
  private final PoolShare memory;
  private final int maxBytes;
  private final int headLength;
  private final long contentLength;
  private final BodyFlow flow;
  private final BodyWatch watch;
  private final BodyWatch.Entry patience;
  private final Done done;
  private byte[] heap = new byte[0];
  private int heapBytes;
  private @Nullable HeapShare share;
  private @Nullable Lease lease;
  private @Nullable InflateStage inflate;
  private int leaseBytes;
  private boolean answered;

  private BodyReader(
      HttpServerRequest request,
      Limits limits,
      PoolShare memory,
      int headLength,
      long contentLength,
      Done done) {
    this.pool = limits.pool();
    this.memory = memory;
    this.maxBytes = limits.maxBytes();
    this.headLength = headLength;
    this.contentLength = contentLength;
    this.flow = new BodyFlow(limits.vertx(), request, memory);
    this.watch = limits.watch();
    this.patience = watch.begin(this::tooSlow);
    this.done = done;
  }

  /**
   * Starts reading.
   *
   * @param memory what the requests of its model hold
   * @param headLength length of the JSON head, or -1 if the body is JSON only
   * @throws InferenceException if that is pointless; nothing was read then
   */
  static void read(
      HttpServerRequest request,
      RequestTerms terms,
      Limits limits,
      PoolShare memory,
      int headLength,
      Done done) {
    String encoding = request.getHeader(HttpHeaders.CONTENT_ENCODING);
    boolean compressed = encoding != null && !encoding.equals("identity");
    long length = terms.bytes();
    if (length > limits.maxBytes()) {
      throw tooLarge(length, limits.maxBytes(), false);
    }
    if (!compressed && headLength > length && length >= 0) {
      throw InferenceException.invalid(
          "Inference-Header-Content-Length is %d, the body has %d bytes"
              .formatted(headLength, length));
    }
    BodyReader reader =
        new BodyReader(request, limits, memory, headLength, compressed ? -1 : length, done);
    if (compressed) {
      reader.inflate(encoding, terms);
    } else {
      reader.flow.begin(reader, reader::end, terms);
    }
    request.exceptionHandler(
        e -> reader.fail(new InferenceException(ErrorCode.CANCELLED, "the client went away")));
  }

  private void inflate(String encoding, RequestTerms terms) {
    try {
      InflateStage stage = new InflateStage(encoding, maxBytes, this, this::end, this::fail, flow);
      inflate = stage;
      flow.begin(stage, stage::end, terms);
    } catch (InferenceException unsupported) {
      watch.end(patience);
      throw unsupported;
    }
  }

  @Override
  public void accept(ByteBuf part) {
    if (answered) {
      return;
    }
    int length = part.readableBytes();
    if ((long) heapBytes + leaseBytes + length > maxBytes) {
      fail(tooLarge((long) heapBytes + leaseBytes + length, maxBytes, inflate != null));
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
    watch.end(patience);
    int head = headLength < 0 ? heapBytes : headLength;
    done.handle(new Body(ByteBuffer.wrap(heap, 0, heapBytes), head, lease, share), null);
  }

  private void fail(InferenceException failure) {
    if (answered) {
      return;
    }
    answered = true;
    watch.end(patience);
    flow.abandon();
    if (inflate != null) {
      inflate.close();
    }
    if (lease != null) {
      lease.close();
      lease = null;
    }
    if (share != null) {
      share.close();
    }
    heap = new byte[0];
    done.handle(null, failure);
  }

  private void toHeap(ByteBuf part, int length) {
    if (heap.length - heapBytes < length) {
      long known = usesLease() ? headLength : Math.min(contentLength, FIRST_HEAP_BYTES);
      long wanted = heapBytes == 0 ? known : Math.min(maxBytes, 2L * heap.length);
      int room = (int) Math.max(heapBytes + (long) length, wanted);
      if (!takeHeap(room)) {
        fail(noMemory(room));
        return;
      }
      heap = Arrays.copyOf(heap, room);
    }
    part.readBytes(heap, heapBytes, length);
    heapBytes += length;
  }

  /** Small bodies count for nothing: connections and queues bound their number. */
  private boolean takeHeap(int room) {
    if (room <= LEASE_FROM_BYTES) {
      return true;
    }
    if (share == null) {
      share = memory.heapShare();
    }
    return share.growTo(room);
  }

  private void toLease(ByteBuf part) {
    if (lease == null) {
      lease = memory.tryAcquire(contentLength - headLength).orElse(null);
      if (lease == null) {
        fail(noMemory(contentLength));
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

  private void tooSlow() {
    fail(
        new InferenceException(
            ErrorCode.BODY_TIMEOUT,
            "the request body did not arrive within "
                + watch.timeoutMs()
                + " ms: "
                + (heapBytes + leaseBytes)
                + " bytes did"));
  }

  private InferenceException noMemory(long bytes) {
    return new InferenceException(
        ErrorCode.QUEUE_FULL,
        "no memory for a body of %d bytes: %d of %d bytes for requests are in use"
            .formatted(bytes, pool.leasedBytes(), pool.maxBytes()),
        RefusalReason.REQUEST_MEMORY,
        InferenceException.UNKNOWN);
  }

  private static InferenceException tooLarge(long found, int max, boolean inflated) {
    return new InferenceException(
        ErrorCode.TOO_LARGE,
        "the %srequest body has at least %d bytes, the limit is %d"
            .formatted(inflated ? "decompressed " : "", found, max));
  }
}
