package dev.conveyor.verticles.grpc;

import static dev.conveyor.verticles.grpc.GrpcFixture.await;
import static dev.conveyor.verticles.grpc.GrpcFixture.infer;
import static dev.conveyor.verticles.grpc.GrpcFixture.input;
import static dev.conveyor.verticles.grpc.GrpcFixture.raw;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.conveyor.verticles.grpc.GrpcFixture.Answer;
import dev.conveyor.verticles.proto.InferTensorContents;
import dev.conveyor.verticles.proto.ModelInferRequest;
import dev.conveyor.verticles.proto.ModelInferResponse;
import dev.conveyor.verticles.server.NettyLeaks;
import io.vertx.core.Future;
import io.vertx.core.MultiMap;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpVersion;
import io.vertx.grpc.common.GrpcStatus;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.zip.DeflaterOutputStream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Every one of these gets an error, and the server serves the next call. */
class GrpcAbuseTest {

  private static final String INFER = "/inference.GRPCInferenceService/ModelInfer";

  private final NettyLeaks leaks = NettyLeaks.listen();
  private final GrpcFixture server = new GrpcFixture();
  private final HttpClient http =
      server.vertx.createHttpClient(
          new HttpClientOptions()
              .setProtocolVersion(HttpVersion.HTTP_2)
              .setHttp2ClearTextUpgrade(false));

  @AfterEach
  void shouldStillServe() {
    assertThat(server.infer(raw("UINT8", new byte[] {1}, 1)).status()).isEqualTo(GrpcStatus.OK);
    assertThat(server.memory.leasedBytes()).isZero();
    server.close();
    assertThat(server.gateway.leasedBytes()).isZero();
    assertThat(leaks.reports()).as("buffers that Netty saw being dropped").isEmpty();
    leaks.close();
  }

  @Test
  void shouldRefuseRawDataThatContradictsTheShape() {
    assertRefused(raw("FP32", new byte[15], 4), "input byte size mismatch for input 'INPUT0'");
    assertRefused(raw("FP32", new byte[12], 4), "expected 4 elements of 4 bytes, got 12 bytes");
    assertRefused(raw("FP32", new byte[20], 4), "got 20 bytes");
    assertRefused(raw("INT8", new byte[1], 0), "expected 0 elements");
  }

  @Test
  void shouldRefuseShapesThatNoMemoryHolds() {
    assertRefused(raw("FP32", new byte[4], 1L << 32, 1L << 32), "too large");
    assertRefused(raw("FP64", new byte[8], 1L << 61), "input byte size mismatch");
    assertRefused(raw("UINT8", new byte[0], 1L << 62, 1L << 62, 0), "too large");
    assertRefused(raw("FP32", new byte[4], -1), "negative dimension");
    assertRefused(raw("FP32", new byte[4], Long.MIN_VALUE, 0), "negative dimension");
    assertRefused(
        infer("identity").addInputs(input("INPUT0", "FP32", 1L << 40)),
        "has 0 elements of explicit tensor data, its shape expects 1099511627776");
  }

  @Test
  void shouldRefuseStringsThatLieAboutTheirLength() {
    assertRefused(raw("BYTES", new byte[] {9, 0, 0, 0, 1}, 1), "element 0 is cut off");
    assertRefused(raw("BYTES", new byte[] {-1, -1, -1, -1}, 1), "element 0 is cut off");
    assertRefused(raw("BYTES", new byte[] {-1, -1, -1, 127, 0}, 1), "element 0 is cut off");
    assertRefused(raw("BYTES", new byte[] {0, 0, 0, 0, 7}, 2), "element 1 is cut off");
    assertRefused(raw("BYTES", new byte[8], 3), "unexpected number of string elements 2");
  }

  @Test
  void shouldRefuseInputsThatContradictThemselves() {
    InferTensorContents one = InferTensorContents.newBuilder().addFp32Contents(1).build();
    assertRefused(
        infer("identity")
            .addInputs(input("INPUT0", "FP32", 1).setContents(one))
            .addRawInputContents(ByteString.copyFrom(new byte[4])),
        "contents field must not be specified when using raw_input_contents for 'INPUT0'");
    assertRefused(
        raw("FP32", new byte[4], 1).addRawInputContents(ByteString.EMPTY),
        "expected one raw_input_contents for each of the 1 inputs of model 'identity', got 2");
    assertRefused(
        infer("identity").addInputs(input("INPUT0", "INT32", 1).setContents(one)),
        "expected the contents field of datatype 'INT32' and no other");
    assertRefused(
        infer("identity")
            .addInputs(
                input("INPUT0", "UINT8", 1)
                    .setContents(InferTensorContents.newBuilder().addUintContents(256))),
        "value 256 is out of the range of UINT8");
    assertRefused(
        infer("identity")
            .addInputs(
                input("INPUT0", "INT8", 1)
                    .setContents(InferTensorContents.newBuilder().addIntContents(-129))),
        "value -129 is out of the range of INT8");
    assertRefused(
        raw("FP32", new byte[4], 1)
            .addInputs(input("INPUT0", "FP32", 1))
            .addRawInputContents(ByteString.copyFrom(new byte[4])),
        "input 'INPUT0' already exists in request");
  }

  @Test
  void shouldRefuseUnknownNames() {
    assertRefused(raw("TYPE_FP32", new byte[4], 1), "unknown datatype 'TYPE_FP32'");
    assertRefused(raw("", new byte[4], 1), "unknown datatype ''");

    Answer<ModelInferResponse> model = server.infer(raw("INT8", new byte[1], 1).setModelName("no"));
    assertThat(model.status()).isEqualTo(GrpcStatus.NOT_FOUND);
    assertThat(model.message()).isEqualTo("Request for unknown model: 'no' is not found");
    assertThat(server.infer(raw("INT8", new byte[1], 1).setModelVersion("2")).status())
        .isEqualTo(GrpcStatus.NOT_FOUND);
    assertRefused(raw("INT8", new byte[1], 1).setModelVersion("x"), "must be a number");
  }

  @Test
  void shouldRefuseMessagesOverTheLimit() {
    byte[] data = new byte[GrpcFixture.MAX_MESSAGE_BYTES];

    Answer<ModelInferResponse> answer = server.infer(raw("UINT8", data, data.length));

    assertThat(answer.status()).isEqualTo(GrpcStatus.RESOURCE_EXHAUSTED);
    assertThat(answer.message())
        .startsWith("Received message larger than max (")
        .endsWith(" vs. " + GrpcFixture.MAX_MESSAGE_BYTES + ")");
  }

  @Test
  void shouldRefuseCompressedMessagesThatInflateBeyondTheLimit() throws IOException {
    ByteArrayOutputStream bomb = new ByteArrayOutputStream();
    try (GZIPOutputStream out = new GZIPOutputStream(bomb)) {
      byte[] zeros = new byte[1 << 20];
      for (int i = 0; i < 64; i++) {
        out.write(zeros);
      }
    }

    assertThat(post(INFER, "gzip", frame(1, bomb.toByteArray())))
        .isEqualTo(GrpcStatus.RESOURCE_EXHAUSTED);
  }

  /** Over a plain connection, because the client library does not know this encoding. */
  @Test
  void shouldTakeTheOtherCompressionOfTheFieldsClients() throws IOException {
    byte[] data = new byte[10_000];
    ByteArrayOutputStream deflated = new ByteArrayOutputStream();
    try (DeflaterOutputStream deflater = new DeflaterOutputStream(deflated)) {
      raw("UINT8", data, data.length).build().writeTo(deflater);
    }
    byte[] message = deflated.toByteArray();

    assertThat(post(INFER, "deflate", frame(1, message))).isEqualTo(GrpcStatus.OK);
    assertThat(post(INFER, "deflate", frame(1, Arrays.copyOf(message, message.length / 2))))
        .isEqualTo(GrpcStatus.INVALID_ARGUMENT);
  }

  @Test
  void shouldRefuseMalformedMessages() {
    byte[] valid = raw("UINT8", new byte[] {1}, 1).build().toByteArray();
    byte[] garbage = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    byte[] endGroup = {12};

    assertThat(post(INFER, null, frame(0, garbage))).isEqualTo(GrpcStatus.INVALID_ARGUMENT);
    assertThat(post(INFER, null, frame(0, endGroup))).isEqualTo(GrpcStatus.INVALID_ARGUMENT);
    assertThat(post(INFER, "gzip", frame(1, valid))).isEqualTo(GrpcStatus.INVALID_ARGUMENT);
    assertThat(post(INFER, "deflate", frame(1, valid))).isEqualTo(GrpcStatus.INVALID_ARGUMENT);
    assertThat(post(INFER, "snappy", frame(1, valid))).isEqualTo(GrpcStatus.UNIMPLEMENTED);
    assertThat(post(INFER, null, frame(1, valid)))
        .as("marked as compressed without saying how")
        .isIn(GrpcStatus.OK, GrpcStatus.INVALID_ARGUMENT);
    assertThat(post(INFER, null, Buffer.buffer())).isEqualTo(GrpcStatus.INVALID_ARGUMENT);
    assertThat(post(INFER, null, Buffer.buffer(new byte[] {0, 0, 0})))
        .isEqualTo(GrpcStatus.INVALID_ARGUMENT);
    assertThat(post(INFER, null, frame(0, valid))).isEqualTo(GrpcStatus.OK);
  }

  @Test
  void shouldRefuseUnknownMethodsAndMalformedTimeouts() {
    assertThat(post("/inference.GRPCInferenceService/NoSuch", null, frame(0, new byte[0])))
        .isEqualTo(GrpcStatus.UNIMPLEMENTED);
    assertThat(post("/nowhere", null, frame(0, new byte[0]))).isEqualTo(GrpcStatus.UNIMPLEMENTED);
    byte[] valid = raw("UINT8", new byte[] {1}, 1).build().toByteArray();
    MultiMap headers = MultiMap.caseInsensitiveMultiMap().add("grpc-timeout", "soon");
    assertThat(status(send(INFER, "application/grpc", headers, frame(0, valid))))
        .isEqualTo(GrpcStatus.INVALID_ARGUMENT);
  }

  @Test
  void shouldRefuseOtherProtocols() {
    MultiMap none = MultiMap.caseInsensitiveMultiMap();
    Buffer body = frame(0, new byte[0]);
    assertThat(send(INFER, "application/grpc-web", none, body).statusCode()).isEqualTo(415);
    assertThat(send(INFER, "application/json", none, body).statusCode()).isEqualTo(415);
  }

  private void assertRefused(ModelInferRequest.Builder request, String message) {
    Answer<ModelInferResponse> answer = server.infer(request);
    assertThat(answer.status()).as(answer.message()).isEqualTo(GrpcStatus.INVALID_ARGUMENT);
    assertThat(answer.message()).contains(message);
  }

  private GrpcStatus post(String path, String encoding, Buffer body) {
    MultiMap headers = MultiMap.caseInsensitiveMultiMap();
    if (encoding != null) {
      headers.add("grpc-encoding", encoding);
    }
    return status(send(path, "application/grpc", headers, body));
  }

  private static GrpcStatus status(HttpClientResponse response) {
    String status = response.getHeader("grpc-status");
    return GrpcStatus.valueOf(
        Integer.parseInt(status != null ? status : response.getTrailer("grpc-status")));
  }

  private HttpClientResponse send(String path, String type, MultiMap headers, Buffer body) {
    HttpClientRequest request =
        await(http.request(HttpMethod.POST, server.address.port(), "127.0.0.1", path));
    request.headers().addAll(headers).add("content-type", type);
    // Listened to before it is asked for: an answer may be over before this thread goes on.
    Future<HttpClientResponse> whole =
        request.response().compose(response -> response.body().map(read -> response));
    return await(request.send(body).compose(sent -> whole));
  }

  private static Buffer frame(int compressed, byte[] message) {
    return Buffer.buffer()
        .appendByte((byte) compressed)
        .appendInt(message.length)
        .appendBytes(message);
  }
}
