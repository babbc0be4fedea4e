package dev.conveyor.models.config;

import java.util.Map;

/**
 * What is to execute a model on a GPU instead of its backend (Triton's {@code
 * gpu_execution_accelerator}). Immutable. Whoever it names knows its parameters.
 *
 * @param name {@code tensorrt}
 */
public record GpuAccelerator(String name, Map<String, String> parameters) {
  public GpuAccelerator {
    parameters = Map.copyOf(parameters);
  }
}
