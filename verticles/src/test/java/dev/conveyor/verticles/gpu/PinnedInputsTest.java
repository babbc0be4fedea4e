package dev.conveyor.verticles.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.conveyor.memory.cuda.sim.CudaSimulator.Figure;
import dev.conveyor.memory.cuda.sim.TestKernel;
import dev.conveyor.models.DataType;
import dev.conveyor.verticles.proto.GRPCInferenceServiceGrpcClient;
import dev.conveyor.verticles.proto.ModelInferRequest;
import dev.conveyor.verticles.proto.ModelInferResponse;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonObject;
import io.vertx.core.net.SocketAddress;
import io.vertx.grpc.client.GrpcClient;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Where the inputs of requests over gRPC lie, on a server with a simulated GPU. */
final class PinnedInputsTest extends GpuServerCase {

  private static final int WIDTH = 8192;

  PinnedInputsTest() {
    super(1);
  }

  @Test
  void shouldPinThemAndSayWhoHoldsPinnedMemory() {
    models
        .identity("kernel", DataType.INT32, "N", WIDTH)
        .config(
            "kernel",
            """
                {"max_batch_size": 2, "instance_group": [{"kind": "KIND_GPU"}],
                 "parameters": {"test_kernel": {"string_value": "on"}}}\
                """);
    int[] words = IntStream.range(0, WIDTH).toArray();
    try (TestServer server = TestServer.start(models)) {
      assertThat(server.server().requestMemory().lends()).isZero();

      assertThat(ask(server, words)).isEqualTo(TestKernel.expected(words, WIDTH));

      assertThat(server.server().requestMemory().lends()).isEqualTo(1);
      server.assertIdle();
      JsonObject pinned = server.http().get("/v2/memory").json().getJsonObject("pinned");
      JsonObject byOwner = pinned.getJsonObject("by_owner");
      assertThat(byOwner.fieldNames())
          .containsExactlyInAnyOrder("requests/inputs", "kernel/1/staging", "GPU0/outputs");
      assertThat(byOwner.getLong("requests/inputs")).isEqualTo(4L * WIDTH);
      assertThat(pinned.getLong("held_bytes")).isEqualTo(simulator.figure(0, Figure.PINNED_BYTES));
      assertThat(server.server().budget().holders())
          .containsKeys("kernel/1/staging", "GPU0/outputs")
          .doesNotContainKey("requests/inputs");
    }
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  private static int[] ask(TestServer server, int[] words) {
    ByteBuffer input = ByteBuffer.allocate(4 * words.length).order(ByteOrder.LITTLE_ENDIAN);
    input.asIntBuffer().put(words);
    GrpcClient client = GrpcClient.client(server.vertx());
    try {
      GRPCInferenceServiceGrpcClient api =
          GRPCInferenceServiceGrpcClient.create(
              client, SocketAddress.inetSocketAddress(server.server().grpcPort(), "127.0.0.1"));
      ModelInferResponse answer =
          TestServer.await(
              api.modelInfer(
                  ModelInferRequest.newBuilder()
                      .setModelName("kernel")
                      .addInputs(
                          ModelInferRequest.InferInputTensor.newBuilder()
                              .setName("INPUT0")
                              .setDatatype("INT32")
                              .addShape(1)
                              .addShape(words.length))
                      .addRawInputContents(ByteString.copyFrom(input))
                      .build()));
      int[] output = new int[words.length];
      answer
          .getRawOutputContents(0)
          .asReadOnlyByteBuffer()
          .order(ByteOrder.LITTLE_ENDIAN)
          .asIntBuffer()
          .get(output);
      return output;
    } finally {
      TestServer.await(client.close());
    }
  }
}
