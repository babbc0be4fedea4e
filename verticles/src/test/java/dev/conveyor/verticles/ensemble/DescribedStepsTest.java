package dev.conveyor.verticles.ensemble;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.models.DataType;
import dev.conveyor.verticles.proto.GRPCInferenceServiceGrpcClient;
import dev.conveyor.verticles.proto.ModelConfigRequest;
import dev.conveyor.verticles.proto.ModelMetadataRequest;
import dev.conveyor.verticles.proto.ModelStatistics;
import dev.conveyor.verticles.proto.ModelStatisticsRequest;
import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.core.net.SocketAddress;
import io.vertx.grpc.client.GrpcClient;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Triton's tools ask for the configuration and the statistics of everything that an ensemble names,
 * as {@code perf_analyzer} does before and after it measures.
 */
final class DescribedStepsTest {

  @TempDir private Path dir;
  private TestServer server;
  private HttpCalls http;

  @BeforeEach
  void start() {
    TestModels models =
        new TestModels(dir)
            .identity("same", DataType.FP32, "batch", 4)
            .config(
                "mask",
                """
                {"platform": "ensemble", "max_batch_size": 8,
                 "input": [{"name": "IN", "data_type": "TYPE_FP32", "dims": [4]}],
                 "output": [{"name": "MASK", "data_type": "TYPE_UINT8", "dims": [4]}],
                 "ensemble_scheduling": {"step": [
                   {"model_name": "same", "input_map": {"INPUT0": "IN"},
                    "output_map": {"OUTPUT0": "x"}},
                   {"model_name": "conveyor.threshold", "input_map": {"x": "x"},
                    "output_map": {"mask": "MASK"}}]}}""")
            .file("mask", "1/nothing", "");
    server = TestServer.start(models);
    http = server.http();
  }

  @AfterEach
  void stop() {
    server.close();
  }

  @Test
  void shouldDescribeEveryModelThatAnEnsembleNames() {
    JsonArray steps =
        http.get("/v2/models/mask/config")
            .json()
            .getJsonObject("ensemble_scheduling")
            .getJsonArray("step");
    for (int i = 0; i < steps.size(); i++) {
      String name = steps.getJsonObject(i).getString("model_name");
      JsonObject config = http.get("/v2/models/" + name + "/config").json();
      assertThat(config.getString("name")).isEqualTo(name);
      assertThat(config.getInteger("max_batch_size")).isGreaterThanOrEqualTo(8);
      assertThat(http.get("/v2/models/" + name + "/stats").status()).isEqualTo(200);
    }
    JsonObject step = http.get("/v2/models/conveyor.threshold/config").json();
    assertThat(step.getJsonArray("input").getJsonObject(0).getString("name")).isEqualTo("x");
    assertThat(step.getJsonArray("output").getJsonObject(0).getString("data_type"))
        .isEqualTo("TYPE_UINT8");
    JsonObject metadata = http.get("/v2/models/conveyor.threshold").json();
    assertThat(metadata.getJsonArray("versions")).isEqualTo(new JsonArray("[\"1\"]"));
    assertThat(metadata.getString("platform")).isEqualTo("conveyor_step");
    assertThat(metadata.getJsonArray("inputs").getJsonObject(0).getJsonArray("shape"))
        .isEqualTo(new JsonArray("[-1,4]"));
  }

  @Test
  void shouldCountWhatStepsWithoutAModelDid() {
    JsonObject rows =
        Requests.of(Requests.input("IN", 2, 4).put("data", new JsonArray("[0,1,0,1,1,0,1,0]")));
    for (int i = 0; i < 3; i++) {
      assertThat(http.infer("mask", rows).status()).isEqualTo(200);
    }

    JsonObject stats =
        http.get("/v2/models/conveyor.threshold/versions/1/stats")
            .json()
            .getJsonArray("model_stats")
            .getJsonObject(0);

    assertThat(stats.getString("name")).isEqualTo("conveyor.threshold");
    assertThat(stats.getLong("inference_count")).isEqualTo(6);
    assertThat(stats.getLong("execution_count")).isEqualTo(3);
    JsonObject inferences = stats.getJsonObject("inference_stats");
    assertThat(inferences.getJsonObject("success").getLong("count")).isEqualTo(3);
    assertThat(inferences.getJsonObject("compute_infer").getLong("ns")).isPositive();
    assertThat(stats.getJsonArray("batch_stats").getJsonObject(0).getInteger("batch_size"))
        .isEqualTo(2);
  }

  @Test
  void shouldKnowOnlyStepsOfEnsemblesThatAreServed() {
    assertThat(http.get("/v2/models/conveyor.softmax/config").status()).isEqualTo(404);
    assertThat(http.get("/v2/models/conveyor.threshold/versions/2/config").status()).isEqualTo(404);
    assertThat(http.infer("conveyor.threshold", new JsonObject()).status()).isEqualTo(404);
    assertThat(http.post("/v2/repository/models/mask/unload", "").status()).isEqualTo(200);
    assertThat(http.get("/v2/models/conveyor.threshold/config").status()).isEqualTo(404);
  }

  @Test
  void shouldDescribeThemOverGrpcToo() {
    GrpcClient client = GrpcClient.client(server.vertx());
    try {
      GRPCInferenceServiceGrpcClient api =
          GRPCInferenceServiceGrpcClient.create(
              client, SocketAddress.inetSocketAddress(server.server().grpcPort(), "127.0.0.1"));
      String name = "conveyor.threshold";
      assertThat(
              TestServer.await(
                      api.modelConfig(ModelConfigRequest.newBuilder().setName(name).build()))
                  .getConfig()
                  .getMaxBatchSize())
          .isEqualTo(8);
      assertThat(
              TestServer.await(
                      api.modelMetadata(ModelMetadataRequest.newBuilder().setName(name).build()))
                  .getVersionsList())
          .containsExactly("1");
      ModelStatistics stats =
          TestServer.await(
                  api.modelStatistics(ModelStatisticsRequest.newBuilder().setName(name).build()))
              .getModelStats(0);
      assertThat(stats.getName()).isEqualTo(name);
      assertThatThrownBy(
              () ->
                  TestServer.await(
                      api.modelConfig(
                          ModelConfigRequest.newBuilder().setName("conveyor.softmax").build())))
          .isInstanceOf(AssertionError.class);
    } finally {
      TestServer.await(client.close());
    }
  }
}
