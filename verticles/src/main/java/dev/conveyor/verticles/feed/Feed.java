package dev.conveyor.verticles.feed;

import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.PoolOptions;
import io.vertx.grpc.client.GrpcClient;
import io.vertx.grpc.client.GrpcClientOptions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Plays a plan. Thread-confined: all streams of a feed belong to one event loop. */
public final class Feed {

  private static final long MAX_MESSAGE_BYTES = 64L << 20;

  /** Longest wait for the answers of the last frames. */
  private static final long PATIENCE_SECONDS = 60;

  private final Vertx vertx;
  private final FeedPlan plan;
  private final List<FeedLane> lanes = new ArrayList<>();
  private final HttpClient http;
  private final GrpcClient grpc;

  private Feed(Vertx vertx, FeedPlan plan) {
    this.vertx = vertx;
    this.plan = plan;
    this.http =
        vertx.createHttpClient(
            new HttpClientOptions(), new PoolOptions().setHttp1MaxSize(plan.streams()));
    this.grpc =
        GrpcClient.client(vertx, new GrpcClientOptions().setMaxMessageSize(MAX_MESSAGE_BYTES));
  }

  /**
   * Plays a plan; fails with a {@link FeedException} if a stream cannot be opened.
   *
   * @param vertx that of the caller, which closes it
   */
  public static Future<FeedResult> play(Vertx vertx, FeedPlan plan) {
    Promise<FeedResult> result = Promise.promise();
    Context context = vertx.getOrCreateContext();
    context.runOnContext(
        v -> {
          Feed feed = new Feed(vertx, plan);
          feed.open().compose(feed::run).onComplete(result).onComplete(done -> feed.close());
        });
    return result.future();
  }

  private Future<List<FeedConnection>> open() {
    List<Future<FeedConnection>> opening = new ArrayList<>();
    for (int i = 0; i < plan.streams(); i++) {
      FeedLane lane = new FeedLane(vertx, plan, i);
      lanes.add(lane);
      opening.add(
          switch (plan.target().protocol()) {
            case HTTP -> HttpFeed.open(http, plan, lane);
            case GRPC -> GrpcFeed.open(grpc, plan, lane);
          });
    }
    return Future.all(opening).map(all -> all.<FeedConnection>list());
  }

  private Future<FeedResult> run(List<FeedConnection> connections) {
    long startNs = System.nanoTime();
    List<Future<Void>> playing = new ArrayList<>();
    for (int i = 0; i < connections.size(); i++) {
      playing.add(lanes.get(i).play(connections.get(i), startNs));
    }
    long mostSeconds = plan.duration().toSeconds() + PATIENCE_SECONDS;
    return Future.join(playing)
        .timeout(mostSeconds, TimeUnit.SECONDS)
        .transform(done -> Future.succeededFuture(sum(System.nanoTime() - startNs)));
  }

  private FeedResult sum(long tookNs) {
    FeedResult.Builder all = new FeedResult.Builder();
    lanes.forEach(lane -> lane.tally().addTo(all));
    return all.build(tookNs / 1e9);
  }

  private void close() {
    http.close();
    grpc.close();
  }
}
