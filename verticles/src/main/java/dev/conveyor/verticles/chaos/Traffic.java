package dev.conveyor.verticles.chaos;

import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * Sends requests to identity models and holds every answer against what was sent.
 *
 * <p>Thread-safe.
 */
final class Traffic {

  /** Elements of a request. */
  static final int WIDTH = 16;

  /** What became of a request. */
  enum Outcome {
    /** The right outputs. */
    RIGHT,
    /** Refused for a reason of its own, or told that it may be sent again. */
    RIGHT_ERROR,
    /** Outputs of another request, or an error that is not its own. */
    WRONG,
    /** No answer. */
    LOST
  }

  private static final String HEAD_LENGTH = "Inference-Header-Content-Length";
  private static final Duration TIMEOUT = Duration.ofSeconds(20);

  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final String base;
  private final byte[] head;

  Traffic(int port) {
    this.base = "http://127.0.0.1:" + port + "/v2/models/";
    JsonObject input =
        new JsonObject()
            .put("name", "INPUT0")
            .put("datatype", "FP32")
            .put("shape", new JsonArray().add(1).add(WIDTH))
            .put("parameters", new JsonObject().put("binary_data_size", 4 * WIDTH));
    this.head =
        new JsonObject()
            .put("inputs", new JsonArray().add(input))
            .put("parameters", new JsonObject().put("binary_data_output", true))
            .encode()
            .getBytes(StandardCharsets.UTF_8);
  }

  /** Sends a request that should be answered with what it holds. */
  CompletableFuture<Outcome> send(String model, float[] row, boolean mayBeRefused) {
    return exchange(model, row)
        .handle(
            (response, failure) -> {
              if (response == null) {
                return Outcome.LOST;
              } else if (response.statusCode() == 200) {
                return holds(response, row) ? Outcome.RIGHT : Outcome.WRONG;
              } else if (mayBeRefused && response.statusCode() == 503) {
                return Outcome.RIGHT_ERROR;
              }
              return Outcome.WRONG;
            });
  }

  /**
   * Sends a request that should fail alone, with this in its message; null if it should succeed.
   */
  CompletableFuture<Outcome> poison(String model, float[] row, @Nullable String message) {
    if (message == null) {
      return send(model, row, true);
    }
    return exchange(model, row)
        .handle(
            (response, failure) -> {
              if (response == null) {
                return Outcome.LOST;
              }
              String body = new String(response.body(), StandardCharsets.UTF_8);
              boolean own = response.statusCode() >= 400 && body.contains(message);
              return own || response.statusCode() == 503 ? Outcome.RIGHT_ERROR : Outcome.WRONG;
            });
  }

  private CompletableFuture<HttpResponse<byte[]>> exchange(String model, float[] row) {
    ByteBuffer body =
        ByteBuffer.allocate(head.length + 4 * WIDTH).order(ByteOrder.LITTLE_ENDIAN).put(head);
    for (float element : row) {
      body.putFloat(element);
    }
    return client.sendAsync(
        HttpRequest.newBuilder(URI.create(base + model + "/infer"))
            .timeout(TIMEOUT)
            .header(HEAD_LENGTH, Integer.toString(head.length))
            .POST(HttpRequest.BodyPublishers.ofByteArray(body.array()))
            .build(),
        HttpResponse.BodyHandlers.ofByteArray());
  }

  private static boolean holds(HttpResponse<byte[]> response, float[] row) {
    byte[] body = response.body();
    int from =
        response.headers().firstValue(HEAD_LENGTH).map(Integer::parseInt).orElse(body.length);
    if (body.length - from != 4 * WIDTH) {
      return false;
    }
    float[] got = new float[WIDTH];
    ByteBuffer.wrap(body, from, 4 * WIDTH).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(got);
    return Arrays.equals(got, row);
  }
}
