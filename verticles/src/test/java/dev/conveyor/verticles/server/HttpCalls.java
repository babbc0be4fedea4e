package dev.conveyor.verticles.server;

import io.vertx.core.buffer.Buffer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;

/** Calls a server over HTTP with the JDK's client. Thread-safe. */
public final class HttpCalls {

  private static final String HEAD_LENGTH = "Inference-Header-Content-Length";

  private final HttpClient client;
  private final String base;

  public HttpCalls(int port) {
    this(port, HttpClient.Version.HTTP_1_1);
  }

  public HttpCalls(int port, HttpClient.Version version) {
    this.client = HttpClient.newBuilder().version(version).build();
    this.base = "http://127.0.0.1:" + port;
  }

  /** An answer; {@code binary} is what stands behind the JSON head. */
  public record Answer(HttpResponse<byte[]> response, byte[] head, byte[] binary) {

    public int status() {
      return response.statusCode();
    }

    public String text() {
      return new String(head, StandardCharsets.UTF_8);
    }

    public JsonObject json() {
      return Buffer.buffer(head).toJsonObject();
    }

    public String error() {
      return json().getString("error");
    }

    /** Returns output {@code index}. */
    public JsonObject output(int index) {
      return json().getJsonArray("outputs").getJsonObject(index);
    }

    public JsonArray data() {
      return output(0).getJsonArray("data");
    }

    public String header(String name) {
      return response.headers().firstValue(name).orElse("");
    }
  }

  public HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(URI.create(base + path)).timeout(Duration.ofSeconds(60));
  }

  public Answer get(String path) {
    return send(request(path).GET().build());
  }

  public Answer post(String path, String body) {
    return send(request(path).POST(HttpRequest.BodyPublishers.ofString(body)).build());
  }

  /** Sends a JSON inference request. */
  public Answer infer(String model, JsonObject head) {
    return post("/v2/models/" + model + "/infer", head.encode());
  }

  /** Sends a JSON head with binary tensor data behind it. */
  public Answer infer(String model, JsonObject head, byte[] binary) {
    return send(inferRequest(model, head, binary).build());
  }

  public CompletableFuture<Answer> inferAsync(String model, JsonObject head, byte[] binary) {
    return sendAsync(inferRequest(model, head, binary).build());
  }

  public CompletableFuture<Answer> sendAsync(HttpRequest request) {
    return client
        .sendAsync(request, HttpResponse.BodyHandlers.ofByteArray())
        .thenApply(HttpCalls::answer);
  }

  public HttpRequest.Builder inferRequest(String model, JsonObject head, byte[] binary) {
    byte[] json = head.toBuffer().getBytes();
    HttpRequest.Builder request = request("/v2/models/" + model + "/infer");
    if (binary.length > 0) {
      request.header(HEAD_LENGTH, Integer.toString(json.length));
    }
    return request.POST(HttpRequest.BodyPublishers.ofByteArray(concat(json, binary)));
  }

  public Answer send(HttpRequest request) {
    try {
      return answer(client.send(request, HttpResponse.BodyHandlers.ofByteArray()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }

  public static byte[] concat(byte[] first, byte[] second) {
    ByteArrayOutputStream all = new ByteArrayOutputStream(first.length + second.length);
    all.writeBytes(first);
    all.writeBytes(second);
    return all.toByteArray();
  }

  private static Answer answer(HttpResponse<byte[]> response) {
    byte[] body = response.body();
    int head =
        response.headers().firstValue(HEAD_LENGTH).map(Integer::parseInt).orElse(body.length);
    return new Answer(
        response, Arrays.copyOf(body, head), Arrays.copyOfRange(body, head, body.length));
  }
}
