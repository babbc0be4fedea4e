package dev.conveyor.verticles.grpc;

import static dev.conveyor.verticles.grpc.GrpcFixture.await;
import static dev.conveyor.verticles.grpc.GrpcFixture.raw;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.conveyor.verticles.proto.ModelStreamInferResponse;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpVersion;
import io.vertx.core.http.StreamResetException;
import io.vertx.grpc.common.GrpcStatus;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Calls whose message stops in the middle, on a server that waits for a message only so long. */
class GrpcStalledMessageTest {

  private static final String SERVICE = "/inference.GRPCInferenceService/";
  private static final int PATIENCE_MS = 600;
  private static final int PREFIX_BYTES = 5;

  private final GrpcFixture server =
      new GrpcFixture(
          new GrpcOptions(
              "127.0.0.1", 0, GrpcFixture.MAX_MESSAGE_BYTES, 4, 16, PATIENCE_MS, 60_000, 100));
  private final HttpClient http =
      server.vertx.createHttpClient(
          new HttpClientOptions()
              .setProtocolVersion(HttpVersion.HTTP_2)
              .setHttp2ClearTextUpgrade(false));

  /** A client that shows half messages; the library's sends whole ones. */
  private final class Call {

    final HttpClientRequest request;
    final Buffer answers = Buffer.buffer();
    final Promise<Void> firstAnswer = Promise.promise();
    final Future<HttpClientResponse> over;

    Call(String method) {
      request =
          await(
              http.request(HttpMethod.POST, server.address.port(), "127.0.0.1", SERVICE + method));
      request.putHeader("content-type", "application/grpc").setChunked(true);
      over =
          request
              .response()
              .compose(
                  response -> {
                    response.handler(
                        bytes -> {
                          answers.appendBuffer(bytes);
                          firstAnswer.tryComplete();
                        });
                    return response.end().map(response);
                  });
    }

    void send(Buffer bytes) {
      await(request.write(bytes));
    }

    ModelStreamInferResponse answer() {
      try {
        return ModelStreamInferResponse.parseFrom(
            answers.getBytes(PREFIX_BYTES, PREFIX_BYTES + answers.getInt(1)));
      } catch (InvalidProtocolBufferException e) {
        throw new AssertionError(e);
      }
    }
  }

  @AfterEach
  void shouldStillServe() {
    assertThat(server.infer(raw("UINT8", new byte[] {1}, 1)).status()).isEqualTo(GrpcStatus.OK);
    server.close();
    assertThat(server.gateway.leasedBytes()).isZero();
  }

  @Test
  void shouldEndAStreamWhoseMessageStallsAndLeaveThoseAloneThatAreBetweenMessages() {
    Call resting = new Call("ModelStreamInfer");
    resting.send(message("first"));
    await(resting.firstAnswer.future());
    Call stalled = new Call("ModelStreamInfer");
    Buffer half = message("second");

    stalled.send(message("first").appendBuffer(half.slice(0, half.length() - 1)));

    HttpClientResponse end = await(stalled.over);
    assertThat(status(end)).isEqualTo(GrpcStatus.DEADLINE_EXCEEDED);
    assertThat(text(end)).isEqualTo("a message was not complete 600 ms after it began");
    assertThat(stalled.answer().getInferResponse().getId()).isEqualTo("first");
    // It has waited for as long.
    resting.send(message("second"));
    await(resting.request.end());
    assertThat(status(await(resting.over))).isEqualTo(GrpcStatus.OK);
  }

  @Test
  void shouldNotGiveAMessageMoreTimeForEveryByte() {
    Call dripping = new Call("ModelStreamInfer");
    Buffer drops = message("dripping");
    int[] sent = {0};
    long timer =
        server.vertx.setPeriodic(
            PATIENCE_MS / 10,
            id -> {
              if (sent[0] < drops.length() - 1) {
                dripping.request.write(drops.slice(sent[0], ++sent[0]));
              }
            });

    assertThat(status(await(dripping.over))).isEqualTo(GrpcStatus.DEADLINE_EXCEEDED);
    server.vertx.cancelTimer(timer);
  }

  @Test
  void shouldEndUnaryCallsWhoseMessageStalls() {
    Call infer = new Call("ModelInfer");
    Buffer half = message("never");
    infer.send(half.slice(0, half.length() / 2));
    Call live = new Call("ServerLive");
    live.send(Buffer.buffer(new byte[] {0, 0, 0}));

    HttpClientResponse end = await(infer.over);
    assertThat(status(end)).isEqualTo(GrpcStatus.DEADLINE_EXCEEDED);
    assertThat(text(end)).isEqualTo("the request message did not arrive within 600 ms");
    assertThat(await(live.over.mapEmpty().otherwise(failure -> failure)))
        .isInstanceOf(StreamResetException.class);
  }

  private static Buffer message(String id) {
    byte[] bytes = raw("UINT8", new byte[] {1, 2, 3}, 3).setId(id).build().toByteArray();
    return Buffer.buffer().appendByte((byte) 0).appendInt(bytes.length).appendBytes(bytes);
  }

  private static GrpcStatus status(HttpClientResponse response) {
    return GrpcStatus.valueOf(Integer.parseInt(field(response, "grpc-status")));
  }

  private static String text(HttpClientResponse response) {
    return field(response, "grpc-message").replace("%20", " ");
  }

  private static String field(HttpClientResponse response, String name) {
    String inHead = response.getHeader(name);
    return inHead != null ? inHead : response.getTrailer(name);
  }
}
