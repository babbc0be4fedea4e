package dev.conveyor.verticles.grpc;

import static dev.conveyor.verticles.grpc.GrpcFixture.await;
import static dev.conveyor.verticles.grpc.GrpcFixture.raw;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.InferenceException;
import dev.conveyor.scheduler.admission.ModelLoad;
import dev.conveyor.verticles.grpc.FakeGateway.Held;
import dev.conveyor.verticles.proto.GRPCInferenceServiceGrpcClient;
import dev.conveyor.verticles.proto.InferParameter;
import dev.conveyor.verticles.proto.ModelInferRequest;
import dev.conveyor.verticles.proto.ModelStreamInferResponse;
import dev.conveyor.verticles.proto.ServerLiveRequest;
import io.vertx.core.Future;
import io.vertx.core.buffer.Buffer;
import io.vertx.grpc.client.GrpcClientRequest;
import io.vertx.grpc.client.GrpcClientResponse;
import io.vertx.grpc.common.GrpcMessage;
import io.vertx.grpc.common.GrpcStatus;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class GrpcStreamTest {

  private final GrpcFixture server = new GrpcFixture();
  private final BlockingQueue<ModelStreamInferResponse> answers = new LinkedBlockingQueue<>();
  private final GrpcClientRequest<ModelInferRequest, ModelStreamInferResponse> stream =
      await(server.client.request(server.address, GRPCInferenceServiceGrpcClient.ModelStreamInfer));

  /** Listens before anything is sent: the first answer may come with the head of the response. */
  private final Future<GrpcClientResponse<ModelInferRequest, ModelStreamInferResponse>> opening =
      stream
          .response()
          .map(
              opened -> {
                opened.handler(answers::add);
                return opened;
              });

  @AfterEach
  void close() {
    server.close();
    assertThat(server.gateway.leasedBytes()).isZero();
  }

  @Test
  void shouldAnswerInTheOrderOfCompletionWhereTheClientWantsThat() {
    server.gateway.hold();
    stream.headers().set("x-answer-order", "as_completed");
    stream.write(request("first"));
    stream.write(request("second"));
    GrpcClientResponse<ModelInferRequest, ModelStreamInferResponse> response = open();
    Held first = server.gateway.nextHeld();
    Held second = server.gateway.nextHeld();

    server.gateway.answer(second);
    assertThat(next().getInferResponse().getId()).isEqualTo("second");
    server.gateway.answer(first);
    ModelStreamInferResponse last = next();
    assertThat(last.getInferResponse().getId()).isEqualTo("first");
    assertThat(last.getErrorMessage()).isEmpty();
    assertThat(last.getInferResponse().getRawOutputContents(0).byteAt(0)).isEqualTo((byte) 7);
    assertThat(last.getInferResponse().getParametersOrThrow("triton_final_response").getBoolParam())
        .isTrue();

    stream.end();
    assertThat(statusAtEnd(response)).isEqualTo(GrpcStatus.OK);
  }

  @Test
  void shouldSayInTheAnswerWhyAMessageWasRefusedAndWhenToTryAgain() {
    ModelLoad.Speed speed = new ModelLoad.Speed(1, 1, 1_000_000, 1_000_000);
    long inAnHour = System.nanoTime() + TimeUnit.HOURS.toNanos(1);
    server
        .catalog
        .find("identity", "")
        .door()
        .load()
        .set(new ModelLoad(7, 7, 0, 1, true, 0, speed, inAnHour, 0, 0));
    stream.write(request("late"));
    open();

    ModelStreamInferResponse refused = next();
    assertThat(refused.getErrorMessage()).contains("exceeds maximum queue size: 7 requests wait");
    assertThat(refused.getInferResponse().getId()).isEqualTo("late");
    assertThat(refused.getInferResponse().getParametersOrThrow("refusal_reason").getStringParam())
        .isEqualTo("queue_full");
    assertThat(refused.getInferResponse().getParametersOrThrow("retry_after_ms").getInt64Param())
        .isBetween(1L, TimeUnit.HOURS.toMillis(1));
  }

  @Test
  void shouldAnswerAFailedInferenceAndGoOn() {
    stream.write(request("bad").toBuilder().setModelName("none").build());
    open();
    ModelStreamInferResponse bad = next();
    assertThat(bad.getErrorMessage()).isEqualTo("Request for unknown model: 'none' is not found");
    assertThat(bad.getInferResponse().getId()).isEqualTo("bad");

    stream.write(request("lying").toBuilder().clearRawInputContents().build());
    assertThat(next().getErrorMessage()).contains("INPUT0");

    stream.write(request("good"));
    assertThat(next().getInferResponse().getId()).isEqualTo("good");
    stream.end();
  }

  @Test
  void shouldFinishWhatIsUnderWayAfterTheClientHasSentEverything() {
    server.gateway.hold();
    stream.end(request("only"));
    GrpcClientResponse<ModelInferRequest, ModelStreamInferResponse> response = open();
    Held only = server.gateway.nextHeld();

    server.gateway.answer(only);

    assertThat(next().getInferResponse().getId()).isEqualTo("only");
    assertThat(statusAtEnd(response)).isEqualTo(GrpcStatus.OK);
  }

  @Test
  void shouldEndAnEmptyStream() {
    stream.end();
    assertThat(statusAtEnd(await(stream.response()))).isEqualTo(GrpcStatus.OK);
  }

  @Test
  void shouldStopReadingAtTheLimitOfInferencesUnderWay() {
    server.gateway.hold();
    int limit = GrpcOptions.DEFAULT_MAX_IN_FLIGHT_PER_STREAM;
    int all = limit + 40;
    for (int i = 0; i < all; i++) {
      stream.write(request("q" + i));
    }
    stream.end();
    open();
    List<Held> held = new ArrayList<>();
    for (int i = 0; i < limit; i++) {
      held.add(server.gateway.nextHeld());
    }
    // A call on the same connection is answered after everything that was sent before it was seen.
    await(server.api.serverLive(ServerLiveRequest.getDefaultInstance()));
    assertThat(server.gateway.heldCount()).as("beyond the limit").isZero();

    for (int i = 0; i < all; i++) {
      server.gateway.answer(held.get(i));
      next();
      if (i + limit < all) {
        held.add(server.gateway.nextHeld());
      }
    }
    assertThat(held).hasSize(all);
  }

  @Test
  void shouldCarryManyInferences() {
    GrpcClientResponse<ModelInferRequest, ModelStreamInferResponse> response = null;
    for (int i = 0; i < 500; i++) {
      stream.write(request("q" + i));
      if (response == null) {
        response = open();
      }
    }
    stream.end();
    for (int i = 0; i < 500; i++) {
      assertThat(next().getErrorMessage()).isEmpty();
    }
    assertThat(statusAtEnd(response)).isEqualTo(GrpcStatus.OK);
  }

  @Test
  void shouldEndTheStreamAtAMessageThatCannotBeRead() {
    stream.writeMessage(GrpcMessage.message("identity", Buffer.buffer(new byte[] {-1, -1, -1})));

    assertThat(statusAtEnd(await(stream.response()))).isEqualTo(GrpcStatus.INVALID_ARGUMENT);
  }

  @Test
  void shouldAnswerCompressedStreamsCompressed() {
    stream.encoding("gzip");
    stream.write(request("zipped"));

    assertThat(open().encoding()).isEqualTo("gzip");
    assertThat(next().getInferResponse().getId()).isEqualTo("zipped");
    stream.end();
  }

  @Test
  void shouldAnswerInTheOrderOfRequestsAsTritonDoes() {
    server.gateway.hold();
    for (String id : List.of("first", "second", "third")) {
      stream.write(request(id));
    }
    open();
    Held first = server.gateway.nextHeld();
    Held second = server.gateway.nextHeld();
    Held third = server.gateway.nextHeld();

    server.gateway.answer(third);
    second.replyTo().fail(InferenceException.invalid("bad"));
    server.gateway.answer(first);

    assertThat(next().getInferResponse().getId()).isEqualTo("first");
    ModelStreamInferResponse failed = next();
    assertThat(failed.getInferResponse().getId()).isEqualTo("second");
    assertThat(failed.getErrorMessage()).isEqualTo("bad");
    assertThat(next().getInferResponse().getId()).isEqualTo("third");
    stream.end();
  }

  @Test
  void shouldDropAllButTheLatestFrameAndTellOfEach() {
    server.gateway.hold();
    stream.write(latest("q0", 1));
    for (int i = 1; i < 5; i++) {
      stream.write(request("q" + i));
    }
    stream.end();
    GrpcClientResponse<ModelInferRequest, ModelStreamInferResponse> response = open();
    for (int i = 1; i < 4; i++) {
      ModelStreamInferResponse dropped = next();
      assertThat(dropped.getInferResponse().getId()).isEqualTo("q" + i);
      assertThat(dropped.getErrorMessage()).startsWith("dropped");
      assertThat(dropped.getInferResponse().getParametersOrThrow("frame_dropped").getBoolParam())
          .isTrue();
    }
    server.gateway.answer(server.gateway.nextHeld());
    assertThat(next().getInferResponse().getId()).isEqualTo("q0");
    server.gateway.answer(server.gateway.nextHeld());
    assertThat(next().getInferResponse().getId()).isEqualTo("q4");

    assertThat(statusAtEnd(response)).isEqualTo(GrpcStatus.OK);
    assertThat(answers).isEmpty();
    assertThat(server.memory.leasedBytes()).isZero();
  }

  @Test
  void shouldGiveUpWhatWaitsWhenTheClientGoesAway() {
    server.gateway.hold();
    byte[] large = new byte[64 * 1024];
    stream.write(
        raw("UINT8", large, large.length)
            .putParameters("frame_policy", string("latest"))
            .putParameters("frames_in_flight", number(1))
            .build());
    stream.write(raw("UINT8", large, large.length).build());
    open();
    Held only = server.gateway.nextHeld();
    await(server.api.serverLive(ServerLiveRequest.getDefaultInstance()));
    assertThat(server.memory.leasedBytes()).isGreaterThanOrEqualTo(2L * large.length);

    stream.cancel();

    while (!only.replyTo().isDone() || server.memory.leasedBytes() > 0) {
      await(server.api.serverLive(ServerLiveRequest.getDefaultInstance()));
    }
    assertThat(server.gateway.heldCount()).isZero();
  }

  @Test
  void shouldRefuseSettingsThatChangeOrMakeNoSense() {
    stream.write(latest("first", 1));
    open();
    assertThat(next().getErrorMessage()).isEmpty();
    stream.write(latest("again", 1));
    assertThat(next().getErrorMessage()).isEmpty();
    stream.write(latest("changed", 2));
    assertThat(next().getErrorMessage())
        .isEqualTo(
            "frames_in_flight is settled by the metadata or the first request of a stream: '1',"
                + " was '2' later");
    stream.end();

    GrpcClientRequest<ModelInferRequest, ModelStreamInferResponse> bad =
        await(
            server.client.request(server.address, GRPCInferenceServiceGrpcClient.ModelStreamInfer));
    bad.end(request("bad").toBuilder().putParameters("frame_policy", string("oldest")).build());
    assertThat(statusAtEnd(await(bad.response()))).isEqualTo(GrpcStatus.INVALID_ARGUMENT);
  }

  @Test
  void shouldEndWhatNeverEndsItselfOnceTheServerStopsAndAllIsAnswered() {
    server.gateway.hold();
    stream.write(request("before"));
    GrpcClientResponse<ModelInferRequest, ModelStreamInferResponse> response = open();
    Held before = server.gateway.nextHeld();

    Future<Void> stopped = server.vertx.undeploy(server.deploymentId);
    server.gateway.answer(before);

    assertThat(next().getInferResponse().getId()).isEqualTo("before");
    assertThat(statusAtEnd(response)).isEqualTo(GrpcStatus.UNAVAILABLE);
    await(stopped);
  }

  private static ModelInferRequest latest(String id, int inFlight) {
    return request(id).toBuilder()
        .putParameters("frame_policy", string("latest"))
        .putParameters("frames_in_flight", number(inFlight))
        .build();
  }

  private static InferParameter string(String value) {
    return InferParameter.newBuilder().setStringParam(value).build();
  }

  private static InferParameter number(long value) {
    return InferParameter.newBuilder().setInt64Param(value).build();
  }

  private GrpcClientResponse<ModelInferRequest, ModelStreamInferResponse> open() {
    return await(opening);
  }

  private ModelStreamInferResponse next() {
    try {
      ModelStreamInferResponse answer = answers.poll(60, TimeUnit.SECONDS);
      assertThat(answer).as("an answer").isNotNull();
      return answer;
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private static GrpcStatus statusAtEnd(GrpcClientResponse<?, ?> response) {
    return await(response.end().transform(end -> Future.succeededFuture(response.status())));
  }

  private static ModelInferRequest request(String id) {
    return raw("UINT8", new byte[] {7}, 1).setId(id).build();
  }
}
