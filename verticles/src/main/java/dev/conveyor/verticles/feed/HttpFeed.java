package dev.conveyor.verticles.feed;

import dev.conveyor.verticles.stream.StreamTerms;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.RequestOptions;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;

/** A stream over HTTP: parts out, events in. Not thread-safe: owned by its event loop. */
final class HttpFeed implements FeedConnection {

  private static final String BOUNDARY = "conveyor-frame";

  /** Some pictures: more would hide from the camera that the server does not take them. */
  private static final int QUEUE_BYTES = 1 << 20;

  private final HttpClientRequest request;
  private final Listener listener;
  private final Promise<Void> ended = Promise.promise();

  private HttpFeed(HttpClientRequest request, Listener listener) {
    this.request = request;
    this.listener = listener;
  }

  static Future<FeedConnection> open(HttpClient client, FeedPlan plan, Listener listener) {
    String path = "/v2/models/" + encode(plan.target().model()) + "/stream";
    String query =
        plan.outputs().isEmpty() ? "" : "?outputs=" + encode(String.join(",", plan.outputs()));
    RequestOptions options =
        new RequestOptions()
            .setMethod(HttpMethod.POST)
            .setHost(plan.target().host())
            .setPort(plan.target().port())
            .setURI(path + query)
            .putHeader("content-type", "multipart/x-mixed-replace; boundary=" + BOUNDARY);
    if (plan.policy() != null) {
      options.putHeader(StreamTerms.POLICY_HEADER, plan.policy());
    }
    if (plan.inFlight() > 0) {
      options.putHeader(StreamTerms.IN_FLIGHT_HEADER, Integer.toString(plan.inFlight()));
    }
    return client
        .request(options)
        .compose(
            request -> {
              HttpFeed feed = new HttpFeed(request, listener);
              request.setChunked(true).setWriteQueueMaxSize(QUEUE_BYTES);
              request.exceptionHandler(feed::lost);
              return request
                  .sendHead()
                  .compose(sent -> request.response())
                  .compose(feed::onResponse);
            });
  }

  private Future<FeedConnection> onResponse(HttpClientResponse response) {
    if (response.statusCode() != 200) {
      return response
          .body()
          .compose(
              body ->
                  Future.failedFuture(
                      new FeedException("HTTP " + response.statusCode() + ": " + body)));
    }
    EventReader events = new EventReader(this::onEvent);
    response.handler(events::accept);
    response.endHandler(v -> ended.tryComplete());
    response.exceptionHandler(this::lost);
    return Future.succeededFuture(this);
  }

  private void onEvent(String name, String id, String data) {
    if (id.isEmpty()) {
      if (name.equals("error")) {
        listener.said(data);
      }
      return;
    }
    long number = Long.parseLong(id);
    switch (name) {
      case "result" -> listener.answered(number);
      case "dropped" -> listener.dropped(number);
      default -> listener.failed(number, data);
    }
  }

  private void lost(Throwable cause) {
    if (ended.tryComplete()) {
      listener.said("the connection was lost: " + cause.getMessage());
    }
  }

  @Override
  public boolean isFull() {
    return request.writeQueueFull();
  }

  @Override
  public void send(long number, byte[] frame) {
    Buffer part = Buffer.buffer(frame.length + 128);
    part.appendString("--" + BOUNDARY + "\r\nContent-Type: image/jpeg\r\nContent-Length: ");
    part.appendString(Integer.toString(frame.length)).appendString("\r\n\r\n");
    part.appendBytes(frame).appendString("\r\n");
    request.write(part);
  }

  @Override
  public Future<Void> end() {
    request.end("--" + BOUNDARY + "--\r\n");
    return ended.future();
  }

  private static String encode(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
  }
}
