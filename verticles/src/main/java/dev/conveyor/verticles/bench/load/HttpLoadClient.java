package dev.conveyor.verticles.bench.load;

import io.vertx.core.Future;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.RequestOptions;
import java.util.ArrayList;
import java.util.List;

/** Posts prepared bodies. Thread-confined: used by one event loop. */
final class HttpLoadClient implements LoadClient {

  private static final CharSequence HEAD_LENGTH =
      HttpHeaders.createOptimized(HttpPayload.HEAD_LENGTH_HEADER);
  private static final CharSequence OCTETS =
      HttpHeaders.createOptimized("application/octet-stream");

  private final HttpClient client;
  private final List<HttpPayload> payloads;
  private final List<RequestOptions> options = new ArrayList<>();

  HttpLoadClient(HttpClient client, String uri, long timeoutMs, List<HttpPayload> payloads) {
    this.client = client;
    this.payloads = List.copyOf(payloads);
    for (HttpPayload payload : payloads) {
      options.add(
          new RequestOptions()
              .setMethod(HttpMethod.POST)
              .setURI(uri)
              .setTimeout(timeoutMs)
              .putHeader(HttpHeaders.CONTENT_TYPE, OCTETS)
              .putHeader(
                  HttpHeaders.CONTENT_LENGTH,
                  HttpHeaders.createOptimized(Integer.toString(payload.body().length())))
              .putHeader(
                  HEAD_LENGTH, HttpHeaders.createOptimized(Integer.toString(payload.headBytes()))));
    }
  }

  @Override
  public Future<Void> send(int n) {
    int i = Math.floorMod(n, payloads.size());
    return client
        .request(options.get(i))
        .compose(request -> request.send(payloads.get(i).body()))
        .compose(HttpProtocol::drain);
  }
}
