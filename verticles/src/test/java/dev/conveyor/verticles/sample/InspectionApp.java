package dev.conveyor.verticles.sample;

import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.verticles.bus.BusAddresses;
import dev.conveyor.verticles.bus.InferenceClient;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.json.JsonObject;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * An inspection line: measurements come in on one address, defects go out on another. It knows the
 * model by name only; the server may be in this JVM or in another one of the cluster.
 */
public final class InspectionApp extends VerticleBase {

  /** Takes a JSON object with an array {@code values}. */
  public static final String MEASUREMENTS = "inspection.measurements";

  /** Gets a JSON object for every measurement that is a defect. */
  public static final String DEFECTS = "inspection.defects";

  private final String model;
  private final float limit;
  private InferenceClient client;

  public InspectionApp(String model, float limit) {
    this.model = model;
    this.limit = limit;
  }

  @Override
  public Future<?> start() {
    client = InferenceClient.create(vertx);
    vertx
        .eventBus()
        .<JsonObject>consumer(
            BusAddresses.events(BusAddresses.DEFAULT_PREFIX),
            event -> System.out.println("server says: " + event.body().encode()));
    return vertx
        .eventBus()
        .<JsonObject>consumer(MEASUREMENTS)
        .handler(
            measurement ->
                inspect(measurement.body())
                    .onSuccess(measurement::reply)
                    .onFailure(
                        e ->
                            measurement.fail(
                                e instanceof InferenceException failure
                                    ? failure.code().wireCode()
                                    : -1,
                                e.getMessage())))
        .completion();
  }

  private Future<JsonObject> inspect(JsonObject measurement) {
    int size = measurement.getJsonArray("values").size();
    ByteBuffer bytes = ByteBuffer.allocate(4 * size).order(ByteOrder.LITTLE_ENDIAN);
    measurement
        .getJsonArray("values")
        .forEach(value -> bytes.putFloat(((Number) value).floatValue()));
    Tensor input = Tensor.of("INPUT0", DataType.FP32, Shape.of(1, size), bytes.flip());
    return client
        .infer(model, List.of(input))
        .map(
            answer -> {
              float score = answer.outputs().get(0).data().getFloat(0);
              JsonObject verdict =
                  new JsonObject().put("score", score).put("defect", score > limit);
              if (score > limit) {
                vertx.eventBus().publish(DEFECTS, verdict);
              }
              return verdict;
            });
  }
}
