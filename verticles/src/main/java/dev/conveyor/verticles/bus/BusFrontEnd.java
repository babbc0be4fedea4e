package dev.conveyor.verticles.bus;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.verticles.InferenceGateway;
import dev.conveyor.verticles.ModelCatalog;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.oip.BinaryData;
import dev.conveyor.verticles.oip.InferHead;
import dev.conveyor.verticles.oip.InferRequestParser;
import dev.conveyor.verticles.oip.InferResponseWriter;
import dev.conveyor.verticles.oip.InferResponseWriter.Encoded;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.eventbus.Message;
import io.vertx.core.json.JsonObject;
import org.jspecify.annotations.Nullable;

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

  private final InferenceGateway gateway;
  private final ModelCatalog catalog;
  private final String address;
  private final InferRequestParser parser;

  public BusFrontEnd(
      InferenceGateway gateway, ModelCatalog catalog, String prefix, int maxMessageBytes) {
    this.gateway = gateway;
    this.catalog = catalog;
    this.address = BusAddresses.infer(prefix);
    this.parser = new InferRequestParser(maxMessageBytes);
  }

  @Override
  public Future<?> start() {
    return vertx.eventBus().consumer(address, this::onMessage).completion();
  }

  private void onMessage(Message<Object> message) {
    try {
      Object body = message.body();
      InferHead head;
      boolean json = body instanceof JsonObject;
      if (json) {
        byte[] bytes = ((JsonObject) body).toBuffer().getBytes();
        head = parser.parse(bytes, 0, bytes.length, BinaryData.none());
      } else if (body instanceof Buffer buffer) {
        head = BusCodec.parse(buffer, parser);
      } else {
        throw InferenceException.invalid("send a Buffer or a JsonObject to " + address);
      }
      infer(message, head, json);
    } catch (InferenceException e) {
      fail(message, e);
    }
  }

  private void infer(Message<Object> message, InferHead head, boolean json) {
    String model = head.modelName();
    if (model == null) {
      head.inputs().forEach(Tensor::close);
      throw InferenceException.invalid("the request has no 'model_name'");
    }
    String version = head.modelVersion() == null ? "" : head.modelVersion();
    ServedModel served = catalog.find(model, version);
    InferResponseWriter.requireKnownOutputs(served, head.outputs());
    gateway.infer(
        head.toCall(model, version, deadlineNs(message)),
        (answer, failure) -> {
          if (answer == null) {
            fail(message, failure);
          } else {
            reply(message, served, head, answer, json);
          }
        });
  }

  private static void reply(
      Message<Object> message,
      ServedModel served,
      InferHead head,
      InferenceResponse answer,
      boolean json) {
    try {
      if (json) {
        Encoded encoded = InferResponseWriter.encode(served, head, answer);
        message.reply(new JsonObject(Buffer.buffer(encoded.head().array())));
      } else {
        message.reply(BusCodec.response(served, head, answer));
      }
    } catch (InferenceException e) {
      fail(message, e);
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
      return System.nanoTime() + Math.min(Long.MAX_VALUE / 4, Long.parseLong(timeout) * 1_000_000);
    } catch (NumberFormatException e) {
      throw InferenceException.invalid(TIMEOUT_HEADER + " must be a number, was " + timeout);
    }
  }

  private static void fail(Message<Object> message, @Nullable InferenceException failure) {
    ErrorCode code = failure == null ? ErrorCode.EXECUTION_FAILED : failure.code();
    message.fail(code.wireCode(), failure == null ? "unknown" : failure.getMessage());
  }
}
