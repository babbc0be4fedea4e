package dev.conveyor.verticles.grpc;

import com.google.protobuf.ByteString;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.HeapShare;
import dev.conveyor.memory.PoolShare;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.NanoClock;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.verticles.BodyWatch;
import dev.conveyor.verticles.DoorTerms;
import dev.conveyor.verticles.FrontDoor;
import dev.conveyor.verticles.InferCall;
import dev.conveyor.verticles.InferenceGateway;
import dev.conveyor.verticles.ModelCatalog;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.TraceParent;
import dev.conveyor.verticles.metrics.ModelStats;
import dev.conveyor.verticles.proto.ModelInferRequest;
import dev.conveyor.verticles.shm.SharedMemoryRegions;
import dev.conveyor.verticles.shm.SharedTensors;
import io.vertx.core.Handler;
import io.vertx.core.MultiMap;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.internal.http.HttpServerRequestInternal;
import io.vertx.grpc.common.GrpcMessage;
import io.vertx.grpc.server.GrpcServerRequest;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** What every inference of a front end shares. Thread-confined: its event loop. */
final class InferRoute {

  private static final String TIMEOUT_HEADER = "grpc-timeout";

  /** Longer timeouts are none: times compare by difference, which must not overflow. */
  private static final long LONGEST_NS = TimeUnit.DAYS.toNanos(365);

  private final Vertx vertx;
  private final InferenceGateway gateway;
  private final FrontDoor door;
  private final BufferPool memory;
  private final BodyWatch watch;
  private final ModelCatalog catalog;
  private final SharedMemoryRegions regions;
  private final GrpcOptions options;
  private final MessageDecoder<ModelInferRequest> decoder;
  private final WaitingCalls waitingCalls = new WaitingCalls();
  private final Set<InferStream> streams = new HashSet<>();
  private @Nullable TimedRequest dispatched;

  InferRoute(
      Vertx vertx,
      InferenceGateway gateway,
      FrontDoor door,
      BufferPool memory,
      ModelCatalog catalog,
      SharedMemoryRegions regions,
      GrpcOptions options) {
    this.regions = regions;
    this.vertx = vertx;
    this.gateway = gateway;
    this.door = door;
    this.memory = memory;
    this.watch =
        new BodyWatch(vertx, NanoClock.SYSTEM, options.bodyTimeoutMillis(), "grpc_message");
    this.catalog = catalog;
    this.options = options;
    this.decoder = new MessageDecoder<>(ModelInferRequest.parser(), options.maxMessageBytes());
  }

  /** Serves a call, whose messages have a time to arrive in. */
  void dispatch(HttpServerRequest request, Handler<HttpServerRequest> server) {
    TimedRequest timed = new TimedRequest((HttpServerRequestInternal) request, watch);
    dispatched = timed;
    try {
      server.handle(timed);
    } finally {
      dispatched = null;
    }
  }

  /**
   * Returns the HTTP request of the call that begins, which the library does not show. It calls the
   * method within {@link #dispatch}.
   */
  TimedRequest dispatched() {
    if (dispatched == null) {
      throw new IllegalStateException("no call begins");
    }
    return dispatched;
  }

  void opened(InferStream stream) {
    streams.add(stream);
  }

  void closed(InferStream stream) {
    streams.remove(stream);
  }

  /** Ends every stream, after what came in was answered: a camera never ends its own. */
  void stopStreams() {
    new ArrayList<>(streams).forEach(InferStream::stop);
  }

  GrpcOptions options() {
    return options;
  }

  Vertx vertx() {
    return vertx;
  }

  SharedMemoryRegions regions() {
    return regions;
  }

  ModelCatalog catalog() {
    return catalog;
  }

  ModelInferRequest decode(GrpcMessage message) {
    return decoder.decode(message);
  }

  /** Returns the end of the patience with calls whose message does not come. */
  BodyWatch watch() {
    return watch;
  }

  /**
   * Counts a message against the memory of requests, until what it returns is closed; null for a
   * small one, which counts for nothing.
   *
   * @param arrived what it counted for while it came; taken over
   * @throws InferenceException if that memory, or the model's share of it, is used up, or there is
   *     no such model
   */
  @Nullable HeapShare hold(ModelInferRequest message, @Nullable HeapShare arrived) {
    long bytes = message.getSerializedSize(); // inflated, and typed contents are in it
    if (bytes < MessageMemory.COUNTS_FROM_BYTES) {
      return arrived;
    }
    HeapShare share = arrived == null ? memory.heapShare() : arrived;
    try {
      ServedModel served = catalog.find(message.getModelName(), message.getModelVersion());
      InferenceException refusal = grow(share, served, bytes);
      if (refusal != null) {
        served.countRefusal(refusal);
        throw refusal;
      }
      return share;
    } catch (InferenceException e) {
      share.close();
      throw e;
    }
  }

  private @Nullable InferenceException grow(HeapShare share, ServedModel served, long bytes) {
    PoolShare room = memory.shareOf(served.name());
    if (room.isFull()) {
      return new InferenceException(
          ErrorCode.QUEUE_FULL,
          "requests for model '%s' hold %d of %d bytes for requests, which is its share"
              .formatted(served.name(), room.heldBytes(), memory.maxBytes()),
          RefusalReason.REQUEST_MEMORY,
          InferenceException.UNKNOWN);
    }
    share.assignTo(room);
    return share.growTo(bytes) ? null : noMemory(memory, bytes);
  }

  static InferenceException noMemory(BufferPool memory, long bytes) {
    return new InferenceException(
        ErrorCode.QUEUE_FULL,
        "no memory for a message of %d bytes: %d of %d bytes for requests are in use"
            .formatted(bytes, memory.leasedBytes(), memory.maxBytes()),
        RefusalReason.REQUEST_MEMORY,
        InferenceException.UNKNOWN);
  }

  /** Has the messages of a call count while they arrive. */
  void count(TimedRequest arrival, Consumer<InferenceException> whenFull) {
    arrival.countIn(vertx, memory, waitingCalls, whenFull);
  }

  /**
   * Lets a request in, by its head alone, and returns its tenant.
   *
   * @param metadata of the call; its tenant goes before that of the message
   * @throws InferenceException if it has to stay outside
   */
  String enter(MultiMap metadata, ModelInferRequest message, long deadlineNs) {
    String header = metadata.get(FrontDoor.TENANT_HEADER);
    String tenant = header == null ? CallParameters.tenant(message.getParametersMap()) : header;
    ServedModel served = catalog.find(message.getModelName(), message.getModelVersion());
    CallParameters asked = CallParameters.of(message.getParametersMap());
    long rawBytes = 0; // typed contents may be longer than the queue counts them
    for (ByteString input : message.getRawInputContentsList()) {
      rawBytes += input.size();
    }
    door.enter(
        served,
        new DoorTerms(tenant, rawBytes, deadlineNs, asked.priority(), asked.timeoutMicros()));
    return tenant;
  }

  /**
   * Returns what a message has in shared memory, so far its outputs. The caller closes it.
   *
   * @throws InferenceException if an output names no region
   */
  SharedTensors shared(ModelInferRequest message, List<RequestedOutput> outputs) {
    SharedTensors shared =
        regions.tensors(memory, message.getModelName(), options.maxMessageBytes());
    try {
      for (int i = 0; i < outputs.size(); i++) {
        RequestedOutput output = outputs.get(i);
        if (output.region() != null) {
          shared.output(output.name(), output.region());
        }
      }
      return shared;
    } catch (InferenceException e) {
      shared.close();
      throw e;
    }
  }

  /** Returns why the shared memory of a message could not be read, and counts a refusal. */
  InferenceException unread(ModelInferRequest message, Throwable why) {
    InferenceException failure = GrpcErrors.of(why);
    try {
      catalog.find(message.getModelName(), message.getModelVersion()).countRefusal(failure);
    } catch (InferenceException unloaded) {
      // Then nobody counts it.
    }
    return failure;
  }

  /** Returns where frames of the message's model are counted; null if there is no such model. */
  @Nullable ModelStats stats(ModelInferRequest message) {
    try {
      return catalog.find(message.getModelName(), message.getModelVersion()).stats();
    } catch (InferenceException unknown) {
      return null;
    }
  }

  ReplyTo infer(InferCall call, ReplyTo.Handler handler) {
    return gateway.infer(call, handler);
  }

  /** Returns the trace that a call belongs to, which is put on its answer; empty for none. */
  static String trace(GrpcServerRequest<?, ?> request) {
    String trace = TraceParent.of(request.headers().get(TraceParent.HEADER));
    if (!trace.isEmpty()) {
      request.response().headers().set(TraceParent.HEADER, trace);
    }
    return trace;
  }

  /**
   * Returns when the client stops waiting.
   *
   * @throws InferenceException INVALID_REQUEST if it says so in a malformed way
   */
  static long deadlineNs(GrpcServerRequest<?, ?> request) {
    String timeout = request.headers().get(TIMEOUT_HEADER);
    if (timeout == null) {
      return InferenceRequest.NO_DEADLINE;
    }
    long timeoutNs = GrpcTimeout.parseNs(timeout);
    return timeoutNs > LONGEST_NS ? InferenceRequest.NO_DEADLINE : System.nanoTime() + timeoutNs;
  }

  /** Gives up an inference; if it was still under way the gateway is told. */
  void abandon(ReplyTo replyTo, ModelInferRequest request, ErrorCode code, String reason) {
    if (replyTo.fail(new InferenceException(code, reason))) {
      gateway.onGivenUp(request.getModelName());
    }
  }

  /** Returns the timer's delay: rounded up, because a deadline must have passed when it fires. */
  static long delayMillis(long deadlineNs) {
    return Math.max(1, (deadlineNs - System.nanoTime() + 999_999) / 1_000_000);
  }
}
