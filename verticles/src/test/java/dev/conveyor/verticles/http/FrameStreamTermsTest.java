package dev.conveyor.verticles.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.verticles.http.StreamClient.Event;
import dev.conveyor.verticles.server.Gate;
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * What the head of a stream asks for, of models and of ensembles, while a gate holds its frames.
 */
final class FrameStreamTermsTest extends ServerCase {

  private static final String ONE_AT_A_TIME = "one";
  private static final String TWO_AT_A_TIME = "two";
  private static final String CHAIN = "chain";

  @BeforeAll
  static void start() {
    serve(
        new TestModels(dir)
            .identity(ONE_AT_A_TIME, DataType.FP32, "batch", 3, 2, 2)
            .config(ONE_AT_A_TIME, config(ONE_AT_A_TIME, 1))
            .identity(TWO_AT_A_TIME, DataType.FP32, "batch", 3, 2, 2)
            .config(TWO_AT_A_TIME, config(TWO_AT_A_TIME, 2))
            .identity("same", DataType.FP32, "batch", 3, 2, 2)
            .config("same", "{\"conveyor\": {\"intra_op_threads\": 1}}")
            .config(CHAIN, chain()));
  }

  @Test
  void shouldDropTheFramesThatComeWhileAsManyAsMayBeAreUnderWay() throws Exception {
    for (String model : new String[] {ONE_AT_A_TIME, CHAIN}) {
      Gate gate = Gate.shut(ONE_AT_A_TIME);
      try (StreamClient client = open(model, "x-frame-policy: drop\r\nx-frames-in-flight: 1\r\n")) {
        client.part(jpeg(10));
        gate.awaitArrival();
        for (int i = 1; i <= 3; i++) {
          client.part(jpeg(20));
          Event dropped = client.next();
          assertThat(dropped.name()).isEqualTo("dropped");
          assertThat(dropped.data())
              .isEqualTo(new JsonObject("{\"id\":\"" + i + "\",\"policy\":\"drop\"}"));
        }
        gate.open();
        assertThat(client.next().firstValue()).isBetween(7.0, 13.0);
        client.part(jpeg(40));
        assertThat(client.next().firstValue()).isBetween(37.0, 43.0);
        client.endParts();
        assertThat(client.next().data())
            .isEqualTo(
                new JsonObject("{\"received\":5,\"answered\":2,\"failed\":0,\"dropped\":3}"));
      }
    }
  }

  @Test
  void shouldAnswerAsCompletedOnlyWhereThatIsAskedFor() throws Exception {
    Gate gate = Gate.holdOne(TWO_AT_A_TIME);
    try (StreamClient client = open(TWO_AT_A_TIME, "x-answer-order: as_completed\r\n")) {
      client.part(jpeg(10));
      gate.awaitArrival();
      client.part(jpeg(20));
      assertThat(client.next().data().getString("id")).as("the first is held").isEqualTo("1");
      client.part("no picture".getBytes(StandardCharsets.UTF_8));
      Event unreadable = client.next();
      assertThat(unreadable.name()).isEqualTo("error");
      assertThat(unreadable.data().getString("id")).isEqualTo("2");
      gate.open();
      assertThat(client.next().data().getString("id")).isEqualTo("0");
      client.endParts();
      assertThat(client.next().name()).isEqualTo("end");
    }
  }

  @Test
  void shouldEndAFrameWhoseTimeIsOver() throws Exception {
    String terms = "x-answer-order: as_completed\r\nx-timeout-ms: 3000\r\n";
    Gate gate = Gate.shut(ONE_AT_A_TIME);
    try (StreamClient client = open(ONE_AT_A_TIME, terms);
        StreamClient chain = open(CHAIN, terms)) {
      client.part(jpeg(10));
      gate.awaitArrival();
      client.part(jpeg(20));
      chain.part(jpeg(10));
      Event late = client.next();
      assertThat(late.name()).isEqualTo("error");
      assertThat(late.data().getString("id")).as("the first has begun").isEqualTo("1");
      assertThat(late.data().getInteger("status")).isEqualTo(504);

      Event lateInAStep = chain.next();
      assertThat(lateInAStep.data().getInteger("status")).isEqualTo(504);
      assertThat(lateInAStep.data().getString("error"))
          .startsWith("ensemble 'chain': step 0 (model 'one'): ");
      gate.open();
      assertThat(client.next().firstValue()).isBetween(7.0, 13.0);
      client.endParts();
      chain.endParts();
      assertThat(client.next().data().getInteger("failed")).isEqualTo(1);
      assertThat(chain.next().data().getInteger("failed")).isEqualTo(1);
    }
  }

  @Test
  void shouldPutFramesOfAHigherPriorityFirstAndTraceThem() throws Exception {
    Gate gate = Gate.shut(ONE_AT_A_TIME);
    try (StreamClient usual = open(ONE_AT_A_TIME, trace("1"));
        StreamClient urgent = open(CHAIN, "x-priority: 1\r\n" + trace("2"))) {
      assertThat(urgent.headers()).contains(trace("2").strip());
      usual.part(jpeg(10));
      gate.awaitArrival();
      usual.part(jpeg(20));
      server.awaitQueued(ONE_AT_A_TIME, 1);
      urgent.part(jpeg(30));
      server.awaitQueued(ONE_AT_A_TIME, 2);
      gate.open();
      assertThat(usual.next().firstValue()).isBetween(7.0, 13.0);
      assertThat(usual.next().firstValue()).isBetween(17.0, 23.0);
      assertThat(urgent.next().firstValue()).isBetween(27.0, 33.0);
      usual.endParts();
      urgent.endParts();
      assertThat(usual.next().name()).isEqualTo("end");
      assertThat(urgent.next().name()).isEqualTo("end");
    }
    JsonArray decisions =
        server
            .http()
            .get("/v2/scheduler/decisions?limit=3&model=" + ONE_AT_A_TIME)
            .json()
            .getJsonArray("decisions");
    for (int i = 0; i < 3; i++) {
      String camera = i == 1 ? "2" : "1";
      assertThat(decisions.getJsonObject(i).getJsonArray("traces"))
          .as("latest first: %s", decisions)
          .isEqualTo(new JsonArray().add(trace(camera).strip().replace("traceparent: ", "")));
    }
  }

  @Test
  void shouldRefuseAPriorityThatIsNone() throws IOException {
    for (String level : new String[] {"-1", "high", "3000000000"}) {
      try (StreamClient client = open(CHAIN, "x-priority: " + level + "\r\n")) {
        assertThat(client.status()).isEqualTo(400);
        assertThat(client.rest())
            .contains("x-priority must be a number from 0 to 2147483647, was '" + level + "'");
      }
    }
  }

  @Test
  void shouldNameTheStepOfAnEnsembleThatCannotReadAFrameAndGoOn() throws IOException {
    byte[] damaged = Arrays.copyOf(jpeg(9), 200);
    try (StreamClient client = open(CHAIN, "")) {
      client.part(jpeg(50));
      client.part("no picture".getBytes(StandardCharsets.UTF_8));
      client.part(damaged);
      client.part(jpeg(60));
      client.endParts();
      assertThat(client.next().firstValue()).isBetween(47.0, 53.0);
      assertThat(client.next().data().getString("error"))
          .startsWith("ensemble 'chain': step 0 (model 'one'): ")
          .contains("neither JPEG nor PNG");
      assertThat(client.next().data().getInteger("status")).isEqualTo(400);
      assertThat(client.next().firstValue()).isBetween(57.0, 63.0);
      assertThat(client.next().data())
          .isEqualTo(new JsonObject("{\"received\":4,\"answered\":2,\"failed\":2,\"dropped\":0}"));
    }
  }

  private static StreamClient open(String model, String headers) throws IOException {
    return StreamClient.multipart(server.httpPort(), model, headers);
  }

  private static String trace(String camera) {
    return "traceparent: 00-0000000000000000000000000000000%s-b7ad6b7169203331-01\r\n"
        .formatted(camera);
  }

  private static String config(String gate, int instances) {
    return """
        {"max_batch_size": 1, "instance_group": [{"count": %d, "kind": "KIND_CPU"}],
         "dynamic_batching": {"priority_levels": 2, "default_priority_level": 2},
         "parameters": {"test_gate": {"string_value": "%s"}},
         "conveyor": {"intra_op_threads": 1,
           "preprocessing": [{"input": "INPUT0", "height": 2, "width": 2}]}}
        """
        .formatted(instances, gate);
  }

  private static String chain() {
    return """
        {"platform": "ensemble", "max_batch_size": 1,
         "input": [{"name": "photo", "data_type": "TYPE_STRING", "dims": [1]}],
         "output": [{"name": "OUT", "data_type": "TYPE_FP32", "dims": [3, 2, 2]}],
         "ensemble_scheduling": {"step": [
           {"model_name": "one", "input_map": {"INPUT0": "photo"}, "output_map": {"OUTPUT0": "x"}},
           {"model_name": "same", "input_map": {"INPUT0": "x"}, "output_map": {"OUTPUT0": "OUT"}}
         ]}}
        """;
  }

  /** A grey picture. */
  private static byte[] jpeg(int level) throws IOException {
    BufferedImage image = new BufferedImage(16, 16, BufferedImage.TYPE_INT_RGB);
    for (int i = 0; i < 16 * 16; i++) {
      image.setRGB(i % 16, i / 16, level * 0x010101);
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ImageIO.write(image, "jpg", out);
    return out.toByteArray();
  }
}
