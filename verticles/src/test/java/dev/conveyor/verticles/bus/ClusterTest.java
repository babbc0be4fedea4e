package dev.conveyor.verticles.bus;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.verticles.sample.InspectionApp;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The event bus as a protocol, between two JVMs of a cluster. */
final class ClusterTest {

  private static final int WIDTH = 50_000;

  @TempDir private Path dir;

  @Test
  void shouldServeAnApplicationInAnotherJvm() throws Exception {
    new TestModels(dir).identity("simple", 4).identity("wide", WIDTH);
    List<Integer> ports = freePorts(2);
    Process process = start(dir, ports.get(1), ports);
    Vertx vertx = null;
    try (BufferedReader output = process.inputReader()) {
      vertx = LoopbackCluster.join(ports.get(0), ports);
      assertThat(readUntil(output, ClusteredServer.READY)).contains(ClusteredServer.READY);
      callModels(InferenceClient.create(vertx));
      useApplication(vertx);

      process.getOutputStream().close();
      assertThat(readUntil(output, ClusteredServer.STOPPED)).contains(ClusteredServer.STOPPED);
      assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
      assertThat(process.exitValue()).isZero();
    } finally {
      process.destroyForcibly();
      if (vertx != null) {
        TestServer.await(vertx.close());
      }
    }
  }

  private static void callModels(InferenceClient client) {
    Tensor row = Requests.tensor("INPUT0", 1, 2, 3, 4);
    InferenceResponse answer = TestServer.await(client.infer("simple", List.of(row)));
    assertThat(Requests.floats(answer.outputs().get(0))).containsExactly(1, 2, 3, 4);

    float[] many = Requests.floats(Requests.counting(0, WIDTH));
    List<Future<InferenceResponse>> answers = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      answers.add(client.infer("wide", List.of(Requests.tensor("INPUT0", many))));
    }
    for (Future<InferenceResponse> next : answers) {
      assertThat(Requests.floats(TestServer.await(next).outputs().get(0))).isEqualTo(many);
    }

    Future<InferenceResponse> unknown = client.infer("none", List.of(row));
    TestServer.await(unknown.otherwiseEmpty());
    assertThat(unknown.cause()).isInstanceOf(InferenceException.class);
    assertThat(((InferenceException) unknown.cause()).code()).isEqualTo(ErrorCode.NOT_FOUND);
  }

  private static void useApplication(Vertx vertx) {
    TestServer.await(vertx.deployVerticle(new InspectionApp("simple", 0.5f)));
    JsonObject measurement = new JsonObject().put("values", new JsonArray("[0.9,0,0,0]"));
    JsonObject verdict =
        TestServer.await(
                vertx.eventBus().<JsonObject>request(InspectionApp.MEASUREMENTS, measurement))
            .body();
    assertThat(verdict.getBoolean("defect")).isTrue();
  }

  private static Process start(Path repository, int port, List<Integer> ports) throws IOException {
    String classPath =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-Xmx512m", "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0"));
    // What Hazelcast asks for on a modular JDK.
    command.addAll(List.of("--add-modules", "java.se"));
    for (String opened :
        new String[] {
          "java.base/java.lang",
          "java.base/sun.nio.ch",
          "java.management/sun.management",
          "jdk.management/com.sun.management.internal"
        }) {
      command.addAll(List.of("--add-opens", opened + "=ALL-UNNAMED"));
    }
    command.addAll(List.of("--add-exports", "java.base/jdk.internal.ref=ALL-UNNAMED"));
    command.addAll(List.of("-cp", classPath, ClusteredServer.class.getName()));
    command.add(repository.toString());
    command.add(Integer.toString(port));
    ports.forEach(member -> command.add(Integer.toString(member)));
    return new ProcessBuilder(command).redirectErrorStream(true).start();
  }

  /** Returns the lines up to the wanted one, or all of them if it does not come. */
  private static List<String> readUntil(BufferedReader output, String wanted) throws IOException {
    List<String> lines = new ArrayList<>();
    for (String line = output.readLine(); line != null; line = output.readLine()) {
      lines.add(line);
      if (line.equals(wanted)) {
        break;
      }
    }
    return lines;
  }

  /** Below those that the system gives to outgoing connections, which could take one meanwhile. */
  private static List<Integer> freePorts(int count) {
    return ThreadLocalRandom.current()
        .ints(20_000, 30_000)
        .distinct()
        .filter(ClusterTest::isFree)
        .limit(count)
        .boxed()
        .toList();
  }

  private static boolean isFree(int port) {
    try {
      new ServerSocket(port, 1, InetAddress.getLoopbackAddress()).close();
      return true;
    } catch (IOException taken) {
      return false;
    }
  }
}
