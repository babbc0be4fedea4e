package dev.conveyor.verticles.bus;

import static java.util.concurrent.TimeUnit.MILLISECONDS;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.HeapShare;
import dev.conveyor.memory.PoolShare;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.verticles.DoorTerms;
import dev.conveyor.verticles.FrontDoor;
import dev.conveyor.verticles.InferCall;
import dev.conveyor.verticles.InferenceGateway;
import dev.conveyor.verticles.ModelCatalog;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.TraceParent;
import dev.conveyor.verticles.oip.BinaryData;
import dev.conveyor.verticles.oip.InferHead;
import dev.conveyor.verticles.oip.InferRequestParser;
import dev.conveyor.verticles.oip.InferResponseWriter;
import dev.conveyor.verticles.oip.InferResponseWriter.Encoded;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.eventbus.Message;
import io.vertx.core.json.JsonObject;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Actor that serves inference on the event bus.
 *
 * <p>Thread-confined: one event loop; holds no state between requests. Takes a {@code Buffer} as
 * {@link BusCodec} says and answers one, or a JSON object of the Open Inference Protocol and
 * answers one. A failure's code is {@link ErrorCode#wireCode}.
 */
public final class BusFrontEnd extends VerticleBase {

  /** Header with the milliseconds after which the client no longer waits. */
  static final String TIMEOUT_HEADER = "timeout_ms";

  private static final Logger LOG = LoggerFactory.getLogger(BusFrontEnd.class);

  /** Header with the name of the tenant; the parameter of that name does as well. */
  static final String TENANT_HEADER = FrontDoor.TENANT_PARAMETER;

  /** Smaller messages count for nothing: queues bound their number. */
  private static final int COUNTS_FROM_BYTES = 16 * 1024;

  private static final DeliveryOptions PLAIN = new DeliveryOptions();

  private final InferenceGateway gateway;
  private final FrontDoor door;
  private final ModelCatalog catalog;
  private final String address;
  private final InferRequestParser parser;
  private final int maxMessageBytes;
  private final BufferPool memory;

  /**
   * Creates the actor.
   *
   * @param prefix of its address
   * @param maxMessageBytes largest message
   * @param memory what the messages of requests under way count against
   */
  public BusFrontEnd(
      InferenceGateway gateway,
      FrontDoor door,
      ModelCatalog catalog,
      String prefix,
      int maxMessageBytes,
      BufferPool memory) {
    this.gateway = gateway;
    this.door = door;
    this.catalog = catalog;
    this.address = BusAddresses.infer(prefix);
    this.maxMessageBytes = maxMessageBytes;
    this.memory = memory;
    this.parser = new InferRequestParser(maxMessageBytes);
  }

  @Override
  public Future<?> start() {
    return vertx.eventBus().consumer(address, this::onMessage).completion();
  }

  private void onMessage(Message<Object> message) {
    try {
      Object body = message.body();
      if (body instanceof JsonObject json) {
        byte[] bytes = json.toBuffer().getBytes();
        requireWithinLimit(bytes.length);
        InferHead head = parser.parse(bytes, 0, bytes.length, BinaryData.none());
        requireJsonOutputs(head);
        infer(message, head, bytes.length, true);
      } else if (body instanceof Buffer buffer) {
        requireWithinLimit(buffer.length());
        infer(message, BusCodec.parse(buffer, parser), buffer.length(), false);
      } else {
        throw InferenceException.invalid("send a Buffer or a JsonObject to " + address);
      }
    } catch (InferenceException e) {
      fail(message, e);
    } catch (RuntimeException e) {
      // Vert.x would let the sender wait until its timeout.
      LOG.error("request on {}", address, e);
      fail(message, new InferenceException(ErrorCode.EXECUTION_FAILED, String.valueOf(e)));
    }
  }

  private void requireWithinLimit(int bytes) {
    if (bytes > maxMessageBytes) {
      throw new InferenceException(
          ErrorCode.TOO_LARGE,
          "the message has %d bytes, the limit is %d".formatted(bytes, maxMessageBytes));
    }
  }

  /** A JSON object has no place for the binary form. */
  private static void requireJsonOutputs(InferHead head) {
    boolean binary = head.binaryByDefault();
    for (InferHead.Output output : head.outputs().values()) {
      binary |= Boolean.TRUE.equals(output.binary());
    }
    if (binary) {
      throw InferenceException.invalid(
          "a JSON object cannot hold binary outputs; send the request as a Buffer");
    }
  }

  private void infer(Message<Object> message, InferHead head, int bytes, boolean json) {
    String model = head.modelName();
    if (model == null) {
      throw InferenceException.invalid("the request has no 'model_name'");
    }
    String version = head.modelVersion() == null ? "" : head.modelVersion();
    ServedModel served = catalog.find(model, version);
    InferResponseWriter.requireKnownOutputs(served, head.outputs());
    String header = message.headers().get(TENANT_HEADER);
    String tenant = header == null ? head.tenant() : header;
    long deadlineNs = deadlineNs(message);
    String trace = TraceParent.of(message.headers().get(TraceParent.HEADER));
    HeapShare share = hold(served, bytes); // first: who finds no memory spends no quota
    try {
      door.enter(
          served, new DoorTerms(tenant, 0, deadlineNs, head.priority(), head.timeoutMicros()));
      InferCall call = head.toCall(model, version, deadlineNs, tenant, trace);
      gateway.infer(
          call,
          (answer, failure) -> {
            close(share);
            if (answer == null) {
              fail(message, failure);
            } else {
              reply(message, served, head, answer, json, trace);
            }
          });
    } catch (RuntimeException e) {
      close(share);
      throw e;
    }
  }

  private static void close(@Nullable HeapShare share) {
    if (share != null) {
      share.close();
    }
  }

  /**
   * Counts a message until its request is answered; null for a small one, which counts for nothing.
   *
   * @throws InferenceException if the memory of requests, or the model's share of it, is used up
   */
  private @Nullable HeapShare hold(ServedModel served, int bytes) {
    if (bytes < COUNTS_FROM_BYTES) {
      return null;
    }
    PoolShare room = memory.shareOf(served.name());
    if (room.isFull()) {
      throw noMemory(
          served,
          "requests for model '%s' hold %d of %d bytes for requests, which is its share"
              .formatted(served.name(), room.heldBytes(), memory.maxBytes()));
    }
    HeapShare share = room.heapShare();
    if (!share.growTo(bytes)) {
      throw noMemory(
          served,
          "no memory for a message of %d bytes: %d of %d bytes for requests are in use"
              .formatted(bytes, memory.leasedBytes(), memory.maxBytes()));
    }
    return share;
  }

  private static InferenceException noMemory(ServedModel served, String what) {
    InferenceException refusal =
        new InferenceException(
            ErrorCode.QUEUE_FULL, what, RefusalReason.REQUEST_MEMORY, InferenceException.UNKNOWN);
    served.countRefusal(refusal);
    return refusal;
  }

  private static void reply(
      Message<Object> message,
      ServedModel served,
      InferHead head,
      InferenceResponse answer,
      boolean json,
      String trace) {
    DeliveryOptions options =
        trace.isEmpty() ? PLAIN : new DeliveryOptions().addHeader(TraceParent.HEADER, trace);
    try {
      if (json) {
        Encoded encoded = InferResponseWriter.encode(served, head, answer);
        message.reply(new JsonObject(Buffer.buffer(encoded.head().array())), options);
      } else {
        message.reply(BusCodec.response(served, head, answer), options);
      }
    } catch (InferenceException e) {
      fail(message, e);
    } catch (RuntimeException e) {
      LOG.error("answer of {}", served.key(), e);
      fail(message, new InferenceException(ErrorCode.EXECUTION_FAILED, String.valueOf(e)));
    } finally {
      answer.close();
    }
  }

  private static long deadlineNs(Message<Object> message) {
    String timeout = message.headers().get(TIMEOUT_HEADER);
    if (timeout == null) {
      return InferenceRequest.NO_DEADLINE;
    }
    try {
      long millis = Long.parseLong(timeout);
      if (millis > 0) {
        return System.nanoTime() + Math.min(Long.MAX_VALUE / 4, MILLISECONDS.toNanos(millis));
      }
    } catch (NumberFormatException e) {
      // Falls through to the same refusal.
    }
    throw InferenceException.invalid(TIMEOUT_HEADER + " must be a positive number, was " + timeout);
  }

  private static void fail(Message<Object> message, @Nullable InferenceException failure) {
    if (failure == null) {
      message.fail(ErrorCode.EXECUTION_FAILED.wireCode(), "unknown");
    } else {
      message.fail(failure.code().wireCode(), BusFailures.text(failure));
    }
  }
}
