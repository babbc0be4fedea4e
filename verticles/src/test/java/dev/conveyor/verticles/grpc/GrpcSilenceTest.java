package dev.conveyor.verticles.grpc;

import static dev.conveyor.verticles.grpc.GrpcFixture.await;
import static dev.conveyor.verticles.grpc.GrpcFixture.raw;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.verticles.server.RawConnection;
import io.vertx.core.Promise;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpVersion;
import io.vertx.grpc.common.GrpcStatus;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Connections without a call, on a server that waits for the first only so long. */
final class GrpcSilenceTest {

  private static final int PATIENCE_MS = 700;
  private static final String PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  private static final byte[] SETTINGS = {0, 0, 0, 4, 0, 0, 0, 0, 0};

  /** Headers that are not the end of the headers: one byte, of an index that says little. */
  private static final byte[] HEADERS = {0, 0, 1, 1, 0, 0, 0, 0, 1, (byte) 0x82};

  private final GrpcFixture server =
      new GrpcFixture(
          new GrpcOptions(
              "127.0.0.1", 0, GrpcFixture.MAX_MESSAGE_BYTES, 4, 1, PATIENCE_MS, PATIENCE_MS, 100));

  @AfterEach
  void close() {
    server.close();
  }

  @Test
  void shouldCloseConnectionsThatSendNothing() throws IOException {
    try (RawConnection silent = connect()) {
      silent.awaitClose();
    }
    assertThat(server.infer(raw("UINT8", new byte[] {1}, 1)).status())
        .as("the only connection that there may be at a time")
        .isEqualTo(GrpcStatus.OK);
  }

  @Test
  void shouldCloseConnectionsThatSendTheBeginningAndNoCall() throws IOException {
    try (RawConnection idle = connect().send(PREFACE).send(SETTINGS)) {
      idle.awaitClose();
    }
  }

  @Test
  void shouldCloseConnectionsWhoseFirstHeadersNeverEnd() throws IOException {
    try (RawConnection endless = connect().send(PREFACE).send(SETTINGS).send(HEADERS)) {
      endless.awaitClose();
    }
  }

  @Test
  void shouldCloseConnectionsThatBeginByteByByte() throws IOException {
    try (RawConnection slow = connect()) {
      CompletableFuture<Void> closed = CompletableFuture.runAsync(slow::awaitClose);
      slow.send("POST / HTTP/1.1\r\nx-slow: ");
      while (!closed.isDone()) {
        slow.offer("x");
        Thread.onSpinWait();
      }
    }
  }

  @Test
  void shouldLeaveAConnectionAloneAsLongAsACallIsOpenAndCloseItAfter() throws IOException {
    HttpClient client =
        server.vertx.createHttpClient(
            new HttpClientOptions()
                .setProtocolVersion(HttpVersion.HTTP_2)
                .setHttp2ClearTextUpgrade(false));
    HttpClientRequest stream =
        await(
            client.request(
                HttpMethod.POST,
                server.address.port(),
                "127.0.0.1",
                "/inference.GRPCInferenceService/ModelStreamInfer"));
    Promise<Void> closed = Promise.promise();
    stream.connection().closeHandler(v -> closed.complete());
    stream.putHeader("content-type", "application/grpc").setChunked(true);
    await(stream.sendHead());
    for (int i = 0; i < 3; i++) {
      try (RawConnection other = connect()) {
        other.awaitClose(); // one patience more
      }
    }
    assertThat(closed.future().isComplete()).as("while its call is open").isFalse();

    await(stream.end(Buffer.buffer()));
    await(closed.future());
  }

  private RawConnection connect() throws IOException {
    return new RawConnection(server.frontEnd.actualPort());
  }
}
