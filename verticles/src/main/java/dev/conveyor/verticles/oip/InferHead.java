package dev.conveyor.verticles.oip;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.verticles.FrontDoor;
import dev.conveyor.verticles.InferCall;
import dev.conveyor.verticles.shm.RegionRef;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A parsed inference request: the tensors, and how the client wants its answer.
 *
 * @param modelName named in the head, as the event bus needs it; null over HTTP, where the path
 *     does
 * @param modelVersion likewise
 * @param id echoed in the answer; null if there was none
 * @param inputs in the order of the request; the receiver owns them
 * @param outputs asked for, by name; empty asks for all
 * @param binaryByDefault outputs without a choice of their own come as binary data
 * @param parameters priority, timeout and whatever else the client sent
 */
public record InferHead(
    @Nullable String modelName,
    @Nullable String modelVersion,
    @Nullable String id,
    List<Tensor> inputs,
    Map<String, Output> outputs,
    boolean binaryByDefault,
    Map<String, Object> parameters) {

  /**
   * One requested output.
   *
   * @param binary null takes the request's default
   * @param classification number of classes, or 0 for the tensor itself
   * @param region where its bytes go; null if they go with the answer
   */
  public record Output(@Nullable Boolean binary, int classification, @Nullable RegionRef region) {

    static final Output PLAIN = new Output(null, 0);

    /** Creates one whose bytes go with the answer. */
    public Output(@Nullable Boolean binary, int classification) {
      this(binary, classification, null);
    }
  }

  /** Returns who the client says it is in the parameters; empty if it does not say. */
  public String tenant() {
    Object tenant = parameters.get(FrontDoor.TENANT_PARAMETER);
    if (tenant == null || tenant instanceof String) {
      return tenant == null ? "" : (String) tenant;
    }
    throw InferenceException.invalid("parameter 'tenant' must be a string, was " + tenant);
  }

  /**
   * Returns the priority level, 1 the highest; 0 for the model's default.
   *
   * @throws InferenceException INVALID_REQUEST if it is none
   */
  public int priority() {
    return Math.toIntExact(Parameters.nonNegative(parameters, "priority", Integer.MAX_VALUE));
  }

  /**
   * Returns the {@code timeout} parameter; 0 for none.
   *
   * @throws InferenceException INVALID_REQUEST if it is no time
   */
  public long timeoutMicros() {
    return Parameters.nonNegative(parameters, "timeout", Long.MAX_VALUE / 2000);
  }

  /** Returns the call to send into the line. */
  public InferCall toCall(
      String model, String version, long deadlineNs, String tenant, String trace) {
    return new InferCall(
        model, version, inputs, priority(), timeoutMicros(), deadlineNs, tenant, trace);
  }

  /** Returns the same request with other tensors. */
  InferHead withInputs(List<Tensor> others) {
    return new InferHead(modelName, modelVersion, id, others, outputs, binaryByDefault, parameters);
  }

  /** Returns what is wanted of output {@code name}, or null if it is not wanted. */
  @Nullable Output wanted(String name) {
    return outputs.isEmpty() ? Output.PLAIN : outputs.get(name);
  }
}
