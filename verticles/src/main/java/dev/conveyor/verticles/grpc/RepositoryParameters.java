package dev.conveyor.verticles.grpc;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.verticles.ModelOverride;
import dev.conveyor.verticles.proto.ModelRepositoryParameter;
import dev.conveyor.verticles.proto.ModelRepositoryParameter.ParameterChoiceCase;
import java.util.HashMap;
import java.util.Map;

/**
 * The parameters of loads and unloads. Unknown ones are refused: ignoring them would leave another
 * model in service than was asked for. Thread-safe: no state.
 */
final class RepositoryParameters {

  private RepositoryParameters() {}

  /**
   * Reads the parameters of a load.
   *
   * @throws InferenceException INVALID_REQUEST or UNSUPPORTED, naming the parameter
   */
  static ModelOverride load(Map<String, ModelRepositoryParameter> parameters) {
    String config = null;
    Map<String, byte[]> files = new HashMap<>();
    for (Map.Entry<String, ModelRepositoryParameter> entry : parameters.entrySet()) {
      String key = entry.getKey();
      ModelRepositoryParameter value = entry.getValue();
      if (key.equals(ModelOverride.CONFIG)) {
        require(value, ParameterChoiceCase.STRING_PARAM, "load", key, "string_param");
        config = value.getStringParam();
      } else if (key.startsWith(ModelOverride.FILE_PREFIX)) {
        require(value, ParameterChoiceCase.BYTES_PARAM, "load", key, "bytes_param");
        files.put(
            key.substring(ModelOverride.FILE_PREFIX.length()), value.getBytesParam().toByteArray());
      } else {
        throw unsupported("load", key);
      }
    }
    return new ModelOverride(config, files);
  }

  /** Returns whether an unload is to take the models of an ensemble along. */
  static boolean unloadDependents(Map<String, ModelRepositoryParameter> parameters) {
    boolean dependents = false;
    for (Map.Entry<String, ModelRepositoryParameter> entry : parameters.entrySet()) {
      if (!entry.getKey().equals("unload_dependents")) {
        throw unsupported("unload", entry.getKey());
      }
      require(
          entry.getValue(), ParameterChoiceCase.BOOL_PARAM, "unload", entry.getKey(), "bool_param");
      dependents = entry.getValue().getBoolParam();
    }
    return dependents;
  }

  private static void require(
      ModelRepositoryParameter value,
      ParameterChoiceCase expected,
      String rpc,
      String key,
      String expectedName) {
    if (value.getParameterChoiceCase() != expected) {
      throw InferenceException.invalid(
          "invalid value type for %s parameter '%s', expected %s."
              .formatted(rpc, key, expectedName));
    }
  }

  private static InferenceException unsupported(String rpc, String key) {
    return new InferenceException(
        ErrorCode.UNSUPPORTED, rpc + " parameter '" + key + "' is not supported");
  }
}
