package dev.conveyor.verticles.cli.demo;

import dev.conveyor.verticles.cli.demo.LineVerdict.Region;
import dev.conveyor.verticles.feed.EventReader;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.ArrayList;
import java.util.List;

/**
 * Sends pictures through the inspection line as a camera does: one stream, frames in, verdicts out.
 * Thread-safe.
 */
final class InspectionLine {

  static final String MODEL = "inspection_line";

  private final Vertx vertx;
  private final HttpClient client;
  private final String host;
  private final int port;
  private final List<String> labels;

  /**
   * Creates a client.
   *
   * @param labels the classes, in the order of the classifier's output
   */
  InspectionLine(Vertx vertx, String host, int port, List<String> labels) {
    this.vertx = vertx;
    this.client = vertx.createHttpClient();
    this.host = host;
    this.port = port;
    this.labels = List.copyOf(labels);
  }

  /** Returns a verdict per picture, in their order; fails with what the server said. */
  Future<List<LineVerdict>> inspect(List<DemoImage> images) {
    Buffer pictures = Buffer.buffer();
    images.forEach(image -> pictures.appendBuffer(image.jpeg()));
    Promise<List<LineVerdict>> verdicts = Promise.promise();
    // Not from the caller's thread: there the answer could be over before anybody listens.
    vertx
        .getOrCreateContext()
        .runOnContext(
            v -> send(pictures, images).onComplete(verdicts::tryComplete, verdicts::tryFail));
    return verdicts.future();
  }

  private Future<List<LineVerdict>> send(Buffer pictures, List<DemoImage> images) {
    return client
        .request(HttpMethod.POST, port, host, "/v2/models/" + MODEL + "/stream")
        .compose(
            request -> {
              request.putHeader("content-type", "video/x-motion-jpeg");
              return request.send(pictures);
            })
        .compose(this::verdicts)
        .map(
            verdicts -> {
              if (verdicts.size() != images.size()) {
                throw new DemoException(
                    "the inspection line answered %d of %d pictures"
                        .formatted(verdicts.size(), images.size()));
              }
              return verdicts;
            });
  }

  Future<Void> close() {
    return client.close();
  }

  private Future<List<LineVerdict>> verdicts(HttpClientResponse response) {
    List<LineVerdict> verdicts = new ArrayList<>();
    Promise<List<LineVerdict>> all = Promise.promise();
    EventReader events =
        new EventReader(
            (name, id, data) -> {
              switch (name) {
                case "result" -> verdicts.add(verdict(new JsonObject(data)));
                case "error" -> all.tryFail(new DemoException("picture " + id + ": " + data));
                default -> {}
              }
            });
    if (response.statusCode() != 200) {
      return response
          .body()
          .compose(
              body ->
                  Future.failedFuture(
                      new DemoException("HTTP " + response.statusCode() + ": " + body)));
    }
    response.handler(
        bytes -> {
          try {
            events.accept(bytes);
          } catch (RuntimeException e) {
            all.tryFail(e);
          }
        });
    response.exceptionHandler(all::tryFail);
    response.endHandler(v -> all.tryComplete(verdicts));
    return all.future();
  }

  private LineVerdict verdict(JsonObject answer) {
    JsonArray whole = data(answer, "probabilities");
    JsonArray boxes = data(answer, "boxes");
    JsonArray area = data(answer, "area");
    JsonArray crops = data(answer, "crop_probabilities");
    JsonArray cropArea = data(answer, "crop_area");
    List<Region> regions = new ArrayList<>();
    for (int i = 0; i < area.size(); i++) {
      int best = best(crops, i);
      regions.add(
          new Region(
              boxes.getDouble(4 * i),
              boxes.getDouble(4 * i + 1),
              boxes.getDouble(4 * i + 2),
              boxes.getDouble(4 * i + 3),
              area.getDouble(i),
              labels.get(best),
              crops.getDouble(i * labels.size() + best),
              cropArea.getDouble(i)));
    }
    int best = best(whole, 0);
    return LineVerdict.of(labels.get(best), whole.getDouble(best), regions);
  }

  /** Returns the most probable class of a row. */
  private int best(JsonArray probabilities, int row) {
    int first = row * labels.size();
    int best = 0;
    for (int c = 1; c < labels.size(); c++) {
      if (probabilities.getDouble(first + c) > probabilities.getDouble(first + best)) {
        best = c;
      }
    }
    return best;
  }

  private static JsonArray data(JsonObject answer, String name) {
    for (Object output : answer.getJsonArray("outputs")) {
      JsonObject tensor = (JsonObject) output;
      if (name.equals(tensor.getString("name"))) {
        return tensor.getJsonArray("data");
      }
    }
    throw new DemoException("the inspection line gave no " + name);
  }
}
