package dev.conveyor.verticles.cli.demo;

import dev.conveyor.verticles.cli.demo.LineVerdict.Region;
import dev.conveyor.verticles.feed.EventReader;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.util.ArrayList;
import java.util.List;

/**
 * Sends pictures through the inspection line as a camera does: one stream, frames in at their rate,
 * verdicts out. Thread-safe.
 */
final class InspectionLine {

  static final String MODEL = "inspection_line";

  /** Told of a verdict when it comes, on an event loop; verdicts come in the order of pictures. */
  @FunctionalInterface
  interface Seen {
    void seen(DemoImage image, LineVerdict verdict);
  }

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

  /**
   * Sends pictures; completes after the last verdict, and fails with what the server said.
   *
   * @param periodMs from one picture to the next
   */
  Future<Void> inspect(List<DemoImage> images, long periodMs, Seen seen) {
    Promise<Void> done = Promise.promise();
    // Not from the caller's thread: there the answer could be over before anybody listens.
    vertx.getOrCreateContext().runOnContext(v -> send(images, periodMs, seen).onComplete(done));
    return done.future();
  }

  private Future<Void> send(List<DemoImage> images, long periodMs, Seen seen) {
    return client
        .request(HttpMethod.POST, port, host, "/v2/models/" + MODEL + "/stream")
        .compose(
            request -> {
              request.putHeader("content-type", "video/x-motion-jpeg");
              request.setChunked(true);
              return request
                  .sendHead()
                  .compose(sent -> request.response())
                  .compose(
                      response -> {
                        Future<Void> answered = verdicts(response, images, seen);
                        play(request, images, 0, periodMs);
                        return answered.onFailure(failure -> request.reset());
                      });
            });
  }

  private void play(HttpClientRequest request, List<DemoImage> images, int next, long periodMs) {
    Future<Void> unused = request.write(images.get(next).jpeg());
    if (next + 1 == images.size()) {
      unused = request.end();
    } else {
      vertx.setTimer(periodMs, timer -> play(request, images, next + 1, periodMs));
    }
  }

  Future<Void> close() {
    return client.close();
  }

  private Future<Void> verdicts(HttpClientResponse response, List<DemoImage> images, Seen seen) {
    if (response.statusCode() != 200) {
      return response
          .body()
          .compose(
              body ->
                  Future.failedFuture(
                      new DemoException("HTTP " + response.statusCode() + ": " + body)));
    }
    Promise<Void> all = Promise.promise();
    int[] answered = {0};
    EventReader events =
        new EventReader(
            (name, id, data) -> {
              switch (name) {
                case "result" ->
                    seen.seen(images.get(answered[0]++), verdict(new JsonObject(data)));
                case "error" -> all.tryFail(new DemoException("picture " + id + ": " + data));
                default -> {}
              }
            });
    response.handler(
        bytes -> {
          try {
            events.accept(bytes);
          } catch (RuntimeException e) {
            all.tryFail(e);
          }
        });
    response.exceptionHandler(all::tryFail);
    response.endHandler(
        v -> {
          if (answered[0] == images.size()) {
            all.tryComplete();
          } else {
            all.tryFail(
                new DemoException(
                    "the inspection line answered %d of %d pictures"
                        .formatted(answered[0], images.size())));
          }
        });
    return all.future();
  }

  private LineVerdict verdict(JsonObject answer) {
    JsonArray boxes = data(answer, "boxes");
    JsonArray area = data(answer, "area");
    JsonArray crops = data(answer, "crop_probabilities");
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
              crops.getDouble(i * labels.size() + best)));
    }
    return new LineVerdict(
        labels.get(data(answer, "verdict").getInteger(0)),
        data(answer, "confidence").getDouble(0),
        data(answer, "reject").getInteger(0) == 0,
        regions);
  }

  /** Returns the most probable class of a crop. */
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
