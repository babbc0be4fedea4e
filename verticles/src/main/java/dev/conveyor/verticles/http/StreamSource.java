package dev.conveyor.verticles.http;

import dev.conveyor.memory.PoolShare;
import dev.conveyor.models.DataType;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.oip.InferHead;
import dev.conveyor.verticles.oip.InferResponseWriter;
import dev.conveyor.verticles.stream.FramePolicy;
import dev.conveyor.verticles.stream.FrameSplitter;
import dev.conveyor.verticles.stream.JpegSplitter;
import dev.conveyor.verticles.stream.MultipartSplitter;
import dev.conveyor.verticles.stream.StreamTerms;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpServerRequest;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What path and headers say about a stream of frames. Immutable.
 *
 * @param model which took the stream when it began
 * @param version as asked for; empty for the default one
 * @param input takes the frames
 * @param terms how its frames are treated
 * @param priority level of its frames, 1 the highest; 0 takes the model's default
 * @param tenant who asks; empty if the headers do not say
 * @param trace the {@link dev.conveyor.verticles.TraceParent} of all its frames; empty for none
 * @param timeoutNs longest that a frame may take; 0 for no limit
 * @param outputs asked for, by name; empty asks for all
 */
record StreamSource(
    ServedModel model,
    String version,
    TensorSpec input,
    StreamTerms terms,
    int priority,
    String tenant,
    String trace,
    long timeoutNs,
    Map<String, InferHead.Output> outputs) {

  /** As many as a stream of gRPC has. */
  private static final int MAX_IN_FLIGHT = 64;

  private static final StreamTerms USUAL = new StreamTerms(FramePolicy.BLOCK, MAX_IN_FLIGHT, true);
  private static final CharSequence PRIORITY = HttpHeaders.createOptimized("x-priority");
  private static final String MULTIPART = "multipart/";
  private static final Set<String> JPEGS =
      Set.of(
          "image/jpeg",
          "video/x-motion-jpeg",
          "video/x-mjpeg",
          "video/mjpeg",
          "application/octet-stream");

  /**
   * Reads path and headers.
   *
   * @throws InferenceException if the model does not take frames, or a header is malformed
   */
  static StreamSource of(
      HttpServerRequest request, ServedModel model, String version, RequestTerms head) {
    Map<String, InferHead.Output> outputs = outputs(request.getParam("outputs"));
    InferResponseWriter.requireKnownOutputs(model, outputs);
    return new StreamSource(
        model,
        version,
        frameInput(model),
        StreamTerms.of(
            request.getHeader(StreamTerms.POLICY_HEADER),
            request.getHeader(StreamTerms.IN_FLIGHT_HEADER),
            request.getHeader(StreamTerms.ORDER_HEADER),
            USUAL),
        priority(request.getHeader(PRIORITY)),
        head.tenant() == null ? "" : head.tenant(),
        head.trace(),
        head.timeoutNs(),
        outputs);
  }

  /**
   * Returns what cuts the request's body into frames.
   *
   * @param memory of the model's requests, which frames count against
   * @param maxBytes largest frame
   * @throws InferenceException if its content type is none of those known
   */
  static FrameSplitter splitter(HttpServerRequest request, PoolShare memory, int maxBytes) {
    String encoding = request.getHeader(HttpHeaders.CONTENT_ENCODING);
    if (encoding != null && !encoding.equals("identity")) {
      throw InferenceException.invalid(
          "a stream of frames must have no content-encoding, was '" + encoding + "'");
    }
    String contentType = request.getHeader(HttpHeaders.CONTENT_TYPE);
    String type = contentType == null ? "" : contentType.strip().toLowerCase(Locale.ROOT);
    if (type.startsWith(MULTIPART)) {
      return new MultipartSplitter(MultipartSplitter.boundary(contentType), memory, maxBytes);
    }
    int end = type.indexOf(';');
    String bare = (end < 0 ? type : type.substring(0, end)).strip();
    if (bare.isEmpty() || JPEGS.contains(bare)) {
      return new JpegSplitter(memory, maxBytes);
    }
    throw InferenceException.invalid(
        "content-type of a stream must be multipart/x-mixed-replace or, for JPEGs one after the"
            + " other, image/jpeg or video/x-motion-jpeg, was '%s'".formatted(contentType));
  }

  /** Returns one frame as the model's input; the bytes stay where they are. */
  Tensor tensor(ByteBuffer element) {
    Shape shape = input.shape().rank() == 1 ? Shape.of(1) : Shape.of(1, 1);
    return Tensor.of(input.name(), DataType.BYTES, shape, element);
  }

  /** Returns how the answer of a frame is to look. */
  InferHead answerHead(long number) {
    return new InferHead(null, null, Long.toString(number), List.of(), outputs, false, Map.of());
  }

  /** Returns when the client stops waiting for a frame that came at this time. */
  long deadlineNs(long nowNs) {
    return timeoutNs == 0 ? InferenceRequest.NO_DEADLINE : nowNs + timeoutNs;
  }

  private static int priority(@Nullable String level) {
    if (level == null) {
      return 0;
    }
    try {
      int priority = Integer.parseInt(level);
      if (priority >= 0) {
        return priority;
      }
    } catch (NumberFormatException e) {
      // Falls through to the same refusal.
    }
    throw InferenceException.invalid(
        "x-priority must be a number from 0 to %d, was '%s'".formatted(Integer.MAX_VALUE, level));
  }

  private static TensorSpec frameInput(ServedModel model) {
    List<TensorSpec> inputs = model.clientInputs();
    if (inputs.size() == 1
        && inputs.get(0).type() == DataType.BYTES
        && inputs.get(0).shape().rank() <= 2) {
      return inputs.get(0);
    }
    throw InferenceException.invalid(
        "model '%s' takes %s: a stream of frames needs one input of BYTES"
            .formatted(model.name(), inputs));
  }

  private static Map<String, InferHead.Output> outputs(@Nullable String names) {
    Map<String, InferHead.Output> outputs = new LinkedHashMap<>();
    if (names != null) {
      for (String name : names.split(",", -1)) {
        outputs.put(name.strip(), new InferHead.Output(null, 0));
      }
    }
    return outputs;
  }
}
