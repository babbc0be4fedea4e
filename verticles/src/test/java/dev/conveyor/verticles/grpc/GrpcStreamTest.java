package dev.conveyor.verticles.grpc;

import static dev.conveyor.verticles.grpc.GrpcFixture.await;
import static dev.conveyor.verticles.grpc.GrpcFixture.raw;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.verticles.grpc.FakeGateway.Held;
import dev.conveyor.verticles.proto.GRPCInferenceServiceGrpcClient;
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

  @AfterEach
  void close() {
    server.close();
    assertThat(server.gateway.leasedBytes()).isZero();
  }

  @Test
  void shouldAnswerInTheOrderOfCompletion() {
    server.gateway.hold();
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

  private GrpcClientResponse<ModelInferRequest, ModelStreamInferResponse> open() {
    GrpcClientResponse<ModelInferRequest, ModelStreamInferResponse> response =
        await(
            stream
                .response()
                .map(
                    opened -> {
                      opened.handler(answers::add);
                      return opened;
                    }));
    return response;
  }

  private ModelStreamInferResponse next() {
    try {
      ModelStreamInferResponse answer = answers.poll(20, TimeUnit.SECONDS);
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
