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

  private static final String HEAD_LENGTH = "Inference-Header-Content-Length";
  private static final int TEXT_LENGTH = 300;

  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final String base;
  private final byte[] head;
  private final Duration patience;

  /**
   * Prepares requests.
   *
   * @param patience how long to wait for an answer until it counts as lost
   */
  Traffic(int port, Duration patience) {
    this.patience = patience;
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

  /**
   * Sends a request that should be answered with what it holds.
   *
   * @param mayBeRefused whether it may be told to come again
   */
  CompletableFuture<Answer> send(String model, float[] row, boolean mayBeRefused) {
    return exchange(model, row)
        .handle(
            (response, failure) -> {
              if (response == null) {
                return lost(model, failure);
              } else if (response.statusCode() == 200 && holds(response, row)) {
                return Answer.RIGHT;
              } else if (mayBeRefused && response.statusCode() == 503) {
                return Answer.RIGHT_ERROR;
              }
              return wrong(model, response);
            });
  }

  /**
   * Sends a request that should fail alone, with this in its message; null if it should succeed.
   */
  CompletableFuture<Answer> poison(String model, float[] row, @Nullable String message) {
    if (message == null) {
      return send(model, row, true);
    }
    return exchange(model, row)
        .handle(
            (response, failure) -> {
              if (response == null) {
                return lost(model, failure);
              }
              boolean own = response.statusCode() >= 400 && text(response).contains(message);
              return own || response.statusCode() == 503
                  ? Answer.RIGHT_ERROR
                  : wrong(model + ", poisoned", response);
            });
  }

  private static Answer lost(String model, @Nullable Throwable failure) {
    return Answer.lost("%s: no answer: %s".formatted(model, failure));
  }

  private static Answer wrong(String model, HttpResponse<byte[]> response) {
    String text =
        response.statusCode() == 200 ? "outputs that are not its own" : text(response).strip();
    return Answer.wrong(
        "%s: HTTP %d: %s"
            .formatted(
                model,
                response.statusCode(),
                text.length() > TEXT_LENGTH ? text.substring(0, TEXT_LENGTH) : text));
  }

  private static String text(HttpResponse<byte[]> response) {
    return new String(response.body(), StandardCharsets.UTF_8);
  }

  private CompletableFuture<HttpResponse<byte[]>> exchange(String model, float[] row) {
    ByteBuffer body =
        ByteBuffer.allocate(head.length + 4 * WIDTH).order(ByteOrder.LITTLE_ENDIAN).put(head);
    for (float element : row) {
      body.putFloat(element);
    }
    return client.sendAsync(
        HttpRequest.newBuilder(URI.create(base + model + "/infer"))
            .timeout(patience)
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
