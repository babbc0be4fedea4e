package dev.conveyor.verticles.bench.load;

import java.util.List;

/**
 * What one request carries, before a protocol encodes it.
 *
 * @param outputs names of the outputs asked for; empty asks for all
 * @param items inferences in this request, at least 1
 */
public record InferPayload(
    String model, List<RequestTensor> inputs, List<String> outputs, int items) {

  public InferPayload {
    inputs = List.copyOf(inputs);
    outputs = List.copyOf(outputs);
  }
}
