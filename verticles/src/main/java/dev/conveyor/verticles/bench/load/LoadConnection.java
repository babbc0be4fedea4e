package dev.conveyor.verticles.bench.load;

import dev.conveyor.models.TensorSpec;
import io.vertx.core.Future;
import java.util.List;

/** A way to one server. Thread-safe. */
public interface LoadConnection {

  /** Asks the server for the inputs of a model: full shapes, dynamic dimensions -1. */
  Future<List<TensorSpec>> inputs(String model);

  /** Prepares these requests, at least one, all for one model. May block. */
  LoadClient client(List<InferPayload> payloads);

  /** Closes what was opened for this connection. May block. */
  Future<Void> close();
}
