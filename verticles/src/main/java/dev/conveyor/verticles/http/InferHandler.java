package dev.conveyor.verticles.http;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.scheduler.NanoClock;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.verticles.BodyWatch;
import dev.conveyor.verticles.FrontDoor;
import dev.conveyor.verticles.InferCall;
import dev.conveyor.verticles.InferenceGateway;
import dev.conveyor.verticles.ModelCatalog;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.oip.AnswerHeads;
import dev.conveyor.verticles.oip.BinaryData;
import dev.conveyor.verticles.oip.InferHead;
import dev.conveyor.verticles.oip.InferRequestParser;
import dev.conveyor.verticles.oip.InferResponseWriter;
import dev.conveyor.verticles.oip.InferResponseWriter.Encoded;
import dev.conveyor.verticles.oip.RawRequest;
import dev.conveyor.verticles.shm.SharedMemoryRegions;
import dev.conveyor.verticles.shm.SharedTensors;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Inference over HTTP: one request in, one answer out.
 *
 * <p>Thread-confined to the event loop of its front end; holds no state between requests. What can
 * be refused from path and headers is refused before the body is read.
 */
final class InferHandler {

  private static final CharSequence HEAD_LENGTH =
      HttpHeaders.createOptimized("Inference-Header-Content-Length");
  private static final CharSequence JSON = HttpHeaders.createOptimized("application/json");
  private static final CharSequence BINARY =
      HttpHeaders.createOptimized("application/octet-stream");

  /** Up to here one buffer is cheaper to write than several. */
  private static final int COPY_UP_TO_BYTES = 16 * 1024;

  /** The body is JSON only. */
  private static final int NO_HEAD = -1;

  /** The body is the data of the only input, without a head. */
  private static final int RAW = 0;

  /** Nobody reads the answer's memory any more. */
  private static final Future<?> COPIED = Future.succeededFuture();

  private static final String CANCELLED = "the client closed the connection";

  private final Vertx vertx;
  private final InferenceGateway gateway;
  private final ModelCatalog catalog;
  private final FrontDoor door;
  private final SharedMemoryRegions regions;
  private final InferRequestParser parser;
  private final AnswerHeads answerHeads = new AnswerHeads();
  private final BodyReader.Limits limits;
  private final EarlyAnswer early;

  InferHandler(Vertx vertx, HttpServices services, int maxMessageBytes, long bodyTimeoutMs) {
    this.vertx = vertx;
    this.gateway = services.gateway();
    this.catalog = services.catalog();
    this.door = services.door();
    this.regions = services.regions();
    this.parser = InferRequestParser.remembering(maxMessageBytes);
    this.limits =
        new BodyReader.Limits(
            vertx,
            services.requestMemory(),
            maxMessageBytes,
            new BodyWatch(vertx, NanoClock.SYSTEM, bodyTimeoutMs, "http_body"));
    this.early = new EarlyAnswer(vertx);
  }

  /** Serves one request. {@code version} is empty for the default one. */
  void handle(HttpServerRequest request, String model, String version) {
    RequestTerms terms;
    try {
      terms = RequestTerms.of(request);
    } catch (InferenceException e) {
      early.midway(request, e);
      return;
    }
    try {
      ServedModel served = catalog.find(model, version);
      int headLength = headLength(request);
      // Tensors as JSON are longer than the queue counts them.
      door.enter(served, terms.atDoor(headLength == NO_HEAD ? 0 : terms.binaryBytes(headLength)));
      BodyReader.read(
          request,
          terms,
          limits,
          limits.pool().shareOf(served.name()),
          headLength == RAW ? NO_HEAD : headLength,
          (body, failure) -> {
            if (body == null) {
              served.countRefusal(failure);
              early.midway(request, failure);
            } else {
              onBody(request, served, version, terms, body, headLength == RAW);
            }
          });
    } catch (InferenceException e) {
      early.unread(request, terms, e);
    }
  }

  private void onBody(
      HttpServerRequest request,
      ServedModel served,
      String version,
      RequestTerms terms,
      Body body,
      boolean raw) {
    SharedTensors shared = regions.tensors(limits.pool(), served.name(), limits.maxBytes());
    InferHead head;
    try {
      head = raw ? RawRequest.read(served, body.heap()) : parse(body, shared);
    } catch (RuntimeException e) {
      body.closeShare();
      JsonReply.fail(request.response(), e);
      return;
    } finally {
      if (body.lease() != null) {
        body.lease().close(); // the tensors have their shares
      }
    }
    Parsed parsed = new Parsed(request, served, head, body, shared);
    try {
      InferResponseWriter.requireKnownOutputs(served, head.outputs());
      shared
          .read(vertx)
          .onComplete(
              read -> enter(parsed, version, terms),
              failure -> {
                served.countRefusal(failure);
                refuse(parsed, failure);
              });
    } catch (RuntimeException e) {
      refuse(parsed, e);
    }
  }

  /**
   * A request whose head is read.
   *
   * @param body what counts as its memory until it is answered
   */
  private record Parsed(
      HttpServerRequest request,
      ServedModel served,
      InferHead head,
      Body body,
      SharedTensors shared) {

    void release() {
      body.closeShare();
      shared.close();
    }
  }

  private static void refuse(Parsed parsed, Throwable why) {
    parsed.release();
    parsed.head().inputs().forEach(Tensor::close);
    JsonReply.fail(parsed.request().response(), why);
  }

  private void enter(Parsed parsed, String version, RequestTerms terms) {
    InferHead head = parsed.head();
    ServedModel served = parsed.served();
    try {
      String tenant = terms.tenant();
      if (tenant == null) {
        tenant = head.tenant();
        door.enterAs(served, terms.atDoor(0), tenant);
      }
      InferCall call =
          head.toCall(served.name(), version, terms.deadlineNs(), tenant, terms.trace());
      submit(parsed, call);
    } catch (RuntimeException e) {
      refuse(parsed, e);
    }
  }

  private InferHead parse(Body body, SharedTensors shared) {
    ByteBuffer heap = body.heap();
    BinaryData binary;
    if (body.lease() != null) {
      binary = BinaryData.lease(body.lease());
    } else if (body.headLength() < heap.limit()) {
      binary = BinaryData.heap(heap.slice(body.headLength(), heap.limit() - body.headLength()));
    } else {
      binary = BinaryData.none();
    }
    return parser.parse(heap.array(), heap.arrayOffset(), body.headLength(), binary.with(shared));
  }

  private void submit(Parsed parsed, InferCall call) {
    HttpServerResponse response = parsed.request().response();
    ReplyTo reply =
        gateway.infer(
            call,
            (answer, failure) -> {
              parsed.body().closeShare();
              if (answer == null) {
                parsed.shared().close();
                if (isRefusal(failure)) {
                  RefusedLane.refused(parsed.request().connection());
                }
                JsonReply.fail(response, failure);
              } else {
                answer(parsed, answer);
              }
            });
    response.closeHandler(
        v -> {
          if (reply.fail(new InferenceException(ErrorCode.CANCELLED, CANCELLED))) {
            gateway.onGivenUp(parsed.served().name());
          }
        });
  }

  private void answer(Parsed parsed, InferenceResponse answer) {
    HttpServerResponse response = parsed.request().response();
    if (response.ended() || response.closed()) {
      parsed.shared().close();
      answer.close();
      return;
    }
    parsed
        .shared()
        .write(vertx, answer.outputs())
        .onComplete(
            written -> {
              parsed.shared().close();
              send(parsed, answer);
            },
            failure -> {
              parsed.shared().close();
              answer.close();
              JsonReply.fail(response, failure);
            });
  }

  private void send(Parsed parsed, InferenceResponse answer) {
    HttpServerResponse response = parsed.request().response();
    if (response.ended() || response.closed()) {
      answer.close();
      return;
    }
    Future<?> read = COPIED;
    try {
      Encoded encoded = answerHeads.encode(parsed.served(), parsed.head(), answer);
      if (!encoded.binary().isEmpty()) {
        response.putHeader(HEAD_LENGTH, Integer.toString(encoded.head().remaining()));
      }
      response.putHeader(HttpHeaders.CONTENT_TYPE, encoded.binary().isEmpty() ? JSON : BINARY);
      ByteBuf bytes = Compression.deflate(parsed.request(), response, join(encoded));
      boolean inPlace =
          isInPlace(encoded) && !response.headers().contains(HttpHeaders.CONTENT_ENCODING);
      Future<?> sent = response.end(Chunks.wrap(bytes));
      if (inPlace) {
        read = sent;
      }
    } catch (RuntimeException | OutOfMemoryError e) {
      // The memory that ran out may be that of network buffers, in which this answer was one of
      // many.
      JsonReply.fail(response, e);
    }
    // The network reads the memory of a large answer until the client has taken all of it.
    read.onComplete(v -> answer.close());
  }

  /** Returns whether {@link #join} refers to the memory of the tensors. */
  private static boolean isInPlace(Encoded encoded) {
    return !encoded.binary().isEmpty() && encoded.sizeBytes() > COPY_UP_TO_BYTES;
  }

  private static ByteBuf join(Encoded encoded) {
    if (encoded.binary().isEmpty()) {
      return Unpooled.wrappedBuffer(encoded.head());
    }
    if (!isInPlace(encoded)) {
      ByteBuffer joined = ByteBuffer.allocate(encoded.sizeBytes()).put(encoded.head());
      for (int i = 0; i < encoded.binary().size(); i++) {
        joined.put(encoded.binary().get(i));
      }
      return Unpooled.wrappedBuffer(joined.flip());
    }
    ByteBuffer[] parts = new ByteBuffer[encoded.binary().size() + 1];
    parts[0] = encoded.head();
    for (int i = 1; i < parts.length; i++) {
      parts[i] = encoded.binary().get(i - 1);
    }
    return Unpooled.wrappedBuffer(parts);
  }

  private static boolean isRefusal(@Nullable InferenceException failure) {
    return failure != null
        && (failure.code() == ErrorCode.OVERLOADED || failure.code() == ErrorCode.QUEUE_FULL);
  }

  private static int headLength(HttpServerRequest request) {
    String value = request.getHeader(HEAD_LENGTH);
    if (value == null) {
      return NO_HEAD;
    }
    try {
      int length = Integer.parseInt(value);
      if (length >= RAW) {
        return length;
      }
    } catch (NumberFormatException e) {
      // Falls through to the same refusal.
    }
    throw InferenceException.invalid(
        "Inference-Header-Content-Length must be an integer, zero or more, was '" + value + "'");
  }
}
