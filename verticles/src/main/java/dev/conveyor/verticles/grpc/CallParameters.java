package dev.conveyor.verticles.grpc;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.verticles.FrontDoor;
import dev.conveyor.verticles.proto.InferParameter;
import dev.conveyor.verticles.shm.RegionRef;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The parameters of a request that mean something here. Unknown ones are ignored, as clients may
 * send their own; those of features this server lacks are refused.
 *
 * @param priority level, 1 the highest; 0 takes the model's default
 * @param timeoutMicros 0 for none
 */
record CallParameters(int priority, long timeoutMicros) {

  static final CallParameters NONE = new CallParameters(0, 0);

  /**
   * Reads the parameters of a request.
   *
   * @throws InferenceException INVALID_REQUEST for a wrong type or range, UNSUPPORTED for sequences
   */
  static CallParameters of(Map<String, InferParameter> parameters) {
    long priority = 0;
    long timeoutMicros = 0;
    for (Map.Entry<String, InferParameter> entry : parameters.entrySet()) {
      switch (entry.getKey()) {
        case "priority" -> priority = integer(entry.getKey(), entry.getValue());
        case "timeout" -> timeoutMicros = integer(entry.getKey(), entry.getValue());
        case "sequence_id", "sequence_start", "sequence_end" ->
            refuseSequence(entry.getKey(), entry.getValue());
        default -> {}
      }
    }
    if (priority > Integer.MAX_VALUE) {
      throw InferenceException.invalid("priority " + priority + " is out of range");
    }
    return new CallParameters((int) priority, timeoutMicros);
  }

  /** Returns who the client says it is; empty if it does not say. */
  static String tenant(Map<String, InferParameter> parameters) {
    InferParameter tenant = parameters.get(FrontDoor.TENANT_PARAMETER);
    if (tenant == null) {
      return "";
    }
    if (!tenant.hasStringParam()) {
      throw InferenceException.invalid(
          "invalid value type for 'tenant' parameter, expected string_param.");
    }
    return tenant.getStringParam();
  }

  /**
   * Returns where a tensor is in shared memory; null if it is not there.
   *
   * @throws InferenceException INVALID_REQUEST if its parameters contradict themselves
   */
  static @Nullable RegionRef region(String tensor, Map<String, InferParameter> parameters) {
    return parameters.isEmpty() ? null : RegionRef.of(tensor, key -> value(parameters.get(key)));
  }

  private static @Nullable Object value(@Nullable InferParameter parameter) {
    if (parameter == null) {
      return null;
    }
    return switch (parameter.getParameterChoiceCase()) {
      case INT64_PARAM -> parameter.getInt64Param();
      case UINT64_PARAM -> parameter.getUint64Param(); // beyond 63 bits it is negative here
      case STRING_PARAM -> parameter.getStringParam();
      case BOOL_PARAM -> parameter.getBoolParam();
      case DOUBLE_PARAM -> parameter.getDoubleParam();
      case PARAMETERCHOICE_NOT_SET -> "";
    };
  }

  /** Returns a parameter that must be a whole number, zero or more. */
  static long integer(String name, InferParameter parameter) {
    long value =
        switch (parameter.getParameterChoiceCase()) {
          case INT64_PARAM -> parameter.getInt64Param();
          case UINT64_PARAM -> parameter.getUint64Param();
          case BOOL_PARAM, STRING_PARAM, DOUBLE_PARAM, PARAMETERCHOICE_NOT_SET ->
              throw InferenceException.invalid(
                  "invalid value type for '" + name + "' parameter, expected int64_param.");
        };
    if (value < 0) {
      throw InferenceException.invalid("'" + name + "' parameter is out of range");
    }
    return value;
  }

  /** Clients that never use sequences still send an id of zero. */
  private static void refuseSequence(String name, InferParameter parameter) {
    boolean absent =
        switch (parameter.getParameterChoiceCase()) {
          case INT64_PARAM -> parameter.getInt64Param() == 0;
          case UINT64_PARAM -> parameter.getUint64Param() == 0;
          case STRING_PARAM -> parameter.getStringParam().isEmpty();
          case BOOL_PARAM -> !parameter.getBoolParam();
          case DOUBLE_PARAM, PARAMETERCHOICE_NOT_SET -> false;
        };
    if (!absent) {
      throw new InferenceException(
          ErrorCode.UNSUPPORTED, "'" + name + "': sequences are not supported");
    }
  }
}
