package dev.conveyor.verticles.grpc;

import dev.conveyor.models.InferenceException;
import dev.conveyor.verticles.proto.InferParameter;
import dev.conveyor.verticles.proto.ModelInferRequest;
import dev.conveyor.verticles.stream.FramePolicy;
import dev.conveyor.verticles.stream.StreamTerms;
import io.vertx.core.MultiMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a stream said about its frames: in the metadata of the call, or else in the parameters of
 * its first request. Immutable.
 */
final class StreamSettings {

  private final @Nullable String policy;
  private final @Nullable String inFlight;
  private final @Nullable String order;
  private final StreamTerms terms;

  /**
   * Reads the settings.
   *
   * @throws InferenceException INVALID_REQUEST, naming the key
   */
  StreamSettings(MultiMap metadata, ModelInferRequest first, int maxInFlight) {
    Map<String, InferParameter> parameters = first.getParametersMap();
    this.policy = either(metadata, StreamTerms.POLICY_HEADER, parameters, StreamTerms.POLICY);
    this.inFlight =
        either(metadata, StreamTerms.IN_FLIGHT_HEADER, parameters, StreamTerms.IN_FLIGHT);
    this.order = either(metadata, StreamTerms.ORDER_HEADER, parameters, StreamTerms.ORDER);
    // Without a word it is the stream that the field's clients know: Triton answers in order.
    StreamTerms usual = new StreamTerms(FramePolicy.BLOCK, maxInFlight, true);
    this.terms = StreamTerms.of(policy, inFlight, order, usual);
  }

  StreamTerms terms() {
    return terms;
  }

  /**
   * Checks that a later request does not want something else.
   *
   * @throws InferenceException INVALID_REQUEST, naming the parameter
   */
  void check(ModelInferRequest later) {
    if (later.getParametersCount() > 0) {
      Map<String, InferParameter> parameters = later.getParametersMap();
      same(StreamTerms.POLICY, policy, parameters);
      same(StreamTerms.IN_FLIGHT, inFlight, parameters);
      same(StreamTerms.ORDER, order, parameters);
    }
  }

  private static void same(
      String key, @Nullable String settled, Map<String, InferParameter> parameters) {
    String value = value(parameters.get(key));
    if (value != null && !value.equals(settled)) {
      throw InferenceException.invalid(
          "%s is settled by the metadata or the first request of a stream: %s, was '%s' later"
              .formatted(key, settled == null ? "left out" : "'" + settled + "'", value));
    }
  }

  private static @Nullable String either(
      MultiMap metadata, String header, Map<String, InferParameter> parameters, String key) {
    String value = metadata.get(header);
    return value == null ? value(parameters.get(key)) : value;
  }

  private static @Nullable String value(@Nullable InferParameter parameter) {
    if (parameter == null) {
      return null;
    }
    return parameter.hasInt64Param()
        ? Long.toString(parameter.getInt64Param())
        : parameter.getStringParam();
  }
}
