package dev.conveyor.verticles.bus;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.verticles.oip.InferRequestParser;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.eventbus.ReplyException;
import io.vertx.core.eventbus.ReplyFailure;
import io.vertx.core.json.JsonObject;
import java.util.List;

/**
 * Calls models over the event bus, from any verticle of a Vert.x application: in the JVM that hosts
 * the server, or in another one of the same cluster.
 *
 * <pre>{@code
 * InferenceClient client = InferenceClient.create(vertx);
 * client.infer("surface_classifier", List.of(image)).onSuccess(answer -> ...);
 * }</pre>
 *
 * <p>Thread-safe. Futures complete on the caller's context; they fail with {@link
 * InferenceException}, also when no server is there.
 */
public final class InferenceClient {

  private static final int MAX_ANSWER_BYTES = 1 << 30;
  private static final long DEFAULT_TIMEOUT_MS = 30_000;

  private final Vertx vertx;
  private final String address;
  private final long timeoutMs;
  private final InferRequestParser parser = new InferRequestParser(MAX_ANSWER_BYTES);

  private InferenceClient(Vertx vertx, String prefix, long timeoutMs) {
    this.vertx = vertx;
    this.address = BusAddresses.infer(prefix);
    this.timeoutMs = timeoutMs;
  }

  /** Returns a client of the server with the default address prefix. */
  public static InferenceClient create(Vertx vertx) {
    return new InferenceClient(vertx, BusAddresses.DEFAULT_PREFIX, DEFAULT_TIMEOUT_MS);
  }

  /**
   * Returns a client of another server, or with another patience.
   *
   * @param timeoutMs longest wait for an answer; the server gives up then, too
   */
  public static InferenceClient create(Vertx vertx, String prefix, long timeoutMs) {
    return new InferenceClient(vertx, prefix, timeoutMs);
  }

  /** Runs the default version of a model. The inputs stay the caller's. */
  public Future<InferenceResponse> infer(String model, List<Tensor> inputs) {
    return infer(model, "", inputs, new JsonObject());
  }

  /**
   * Runs a model. The inputs stay the caller's; they are copied before this returns.
   *
   * @param version empty for the default version
   * @param parameters of the protocol, such as {@code priority} and {@code timeout}
   */
  public Future<InferenceResponse> infer(
      String model, String version, List<Tensor> inputs, JsonObject parameters) {
    Buffer request = BusCodec.request(model, version, inputs, parameters);
    DeliveryOptions options =
        new DeliveryOptions()
            .setSendTimeout(timeoutMs)
            .addHeader(BusFrontEnd.TIMEOUT_HEADER, Long.toString(timeoutMs));
    return vertx
        .eventBus()
        .<Buffer>request(address, request, options)
        .map(reply -> BusCodec.parseResponse(reply.body(), parser))
        .recover(failure -> Future.failedFuture(asInferenceException(failure)));
  }

  private static InferenceException asInferenceException(Throwable failure) {
    if (failure instanceof InferenceException e) {
      return e;
    }
    if (failure instanceof ReplyException e) {
      if (e.failureType() == ReplyFailure.NO_HANDLERS) {
        return new InferenceException(ErrorCode.UNAVAILABLE, "no server on the event bus");
      }
      if (e.failureType() == ReplyFailure.TIMEOUT) {
        return new InferenceException(ErrorCode.DEADLINE_EXCEEDED, String.valueOf(e.getMessage()));
      }
      ErrorCode code = ErrorCode.ofWireCode(e.failureCode()).orElse(ErrorCode.EXECUTION_FAILED);
      return BusFailures.parse(code, String.valueOf(e.getMessage()));
    }
    return new InferenceException(ErrorCode.EXECUTION_FAILED, String.valueOf(failure.getMessage()));
  }
}
