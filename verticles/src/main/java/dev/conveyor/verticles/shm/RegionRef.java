package dev.conveyor.verticles.shm;

import dev.conveyor.models.InferenceException;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Where a tensor is, as the parameters of the protocol say it. Nothing is known of the region yet.
 *
 * @param region its registered name
 * @param offset of the tensor in the region, in bytes, from 0
 * @param byteSize of the tensor, or of the room for it, from 0
 */
public record RegionRef(String region, long offset, long byteSize) {

  /** The parameter with the region's name. */
  public static final String REGION = "shared_memory_region";

  /** The parameter with the offset; 0 if it is left out. */
  public static final String OFFSET = "shared_memory_offset";

  /** The parameter with the size. */
  public static final String BYTE_SIZE = "shared_memory_byte_size";

  /**
   * Reads the parameters of a tensor; null if it is in no region.
   *
   * @param parameters value by name, strings and whole numbers as such; null where there is none
   * @throws InferenceException INVALID_REQUEST if only some are there, or one is wrong
   */
  public static @Nullable RegionRef of(
      String tensor, Function<String, @Nullable Object> parameters) {
    Object region = parameters.apply(REGION);
    Object offset = parameters.apply(OFFSET);
    Object byteSize = parameters.apply(BYTE_SIZE);
    if (region == null) {
      requireAbsent(tensor, OFFSET, offset);
      requireAbsent(tensor, BYTE_SIZE, byteSize);
      return null;
    }
    if (!(region instanceof String name)) {
      throw InferenceException.invalid(
          "invalid value type for '%s' parameter for tensor '%s', expected a string"
              .formatted(REGION, tensor));
    }
    if (byteSize == null) {
      throw InferenceException.invalid(
          "'%s' must be specified along with '%s' parameter for tensor '%s'"
              .formatted(BYTE_SIZE, REGION, tensor));
    }
    return new RegionRef(
        name, offset == null ? 0 : size(tensor, OFFSET, offset), size(tensor, BYTE_SIZE, byteSize));
  }

  /**
   * Refuses classes of an output in a region: they are made for the answer.
   *
   * @param classes asked for; 0 for none
   * @throws InferenceException INVALID_REQUEST
   */
  public static void refuseClasses(String output, int classes) {
    if (classes > 0) {
      throw InferenceException.invalid(
          "output '%s': 'classification' goes with the answer, not into shared memory"
              .formatted(output));
    }
  }

  private static void requireAbsent(String tensor, String key, @Nullable Object value) {
    if (value != null) {
      throw InferenceException.invalid(
          "'%s' can not be specified without '%s' parameter for tensor '%s'"
              .formatted(key, REGION, tensor));
    }
  }

  private static long size(String tensor, String key, Object value) {
    // Integers beyond 64 bits arrive as another type, and must not wrap round.
    if ((value instanceof Long || value instanceof Integer) && ((Number) value).longValue() >= 0) {
      return ((Number) value).longValue();
    }
    throw InferenceException.invalid(
        "invalid value for '%s' parameter for tensor '%s', expected a whole number from 0, was %s"
            .formatted(key, tensor, value));
  }
}
