package dev.conveyor.verticles.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.json.JsonObject;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the command prints and exits with, against a server. */
class FeedCommandTest {

  @TempDir private static Path directory;
  private static TestServer server;

  @BeforeAll
  static void start() {
    TestModels models = new TestModels(directory).pixels("pixels");
    server =
        TestServer.start(
            models,
            new JsonObject()
                .put("profiles", new JsonObject().put("warmup_ms", 0).put("stored", false)));
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  @Test
  void shouldExitWithZeroWhereEveryFrameHasAnOutcomeInItsPlace() {
    for (String protocol : new String[] {"HTTP", "GRPC"}) {
      Line line = feed(protocol, "--model=pixels", "--policy=block");
      assertThat(line.err()).isEmpty();
      assertThat(line.exitCode()).as(line::out).isZero();
      assertThat(line.out())
          .contains("2 streams of 50.0 frames/s")
          .containsPattern("sent +20 = 20 answered \\+ 0 dropped \\+ 0 failed \\+ 0 unanswered")
          .contains("0 answers came after that of a later frame, 0 belong to no frame");
    }
  }

  @Test
  void shouldExitWithOneWhereItCannotBePlayed() {
    Line unknown = feed("HTTP", "--model=nobody");
    assertThat(unknown.exitCode()).isEqualTo(1);
    assertThat(unknown.err()).contains("conveyor: cannot play: ").contains("unknown model");

    Line policy = feed("HTTP", "--model=pixels", "--policy=newest");
    assertThat(policy.exitCode()).isEqualTo(1);
    assertThat(policy.err()).contains("must be block, drop or latest");

    Line empty = feed("HTTP", "--model=pixels", "--source=" + directory);
    assertThat(empty.exitCode()).isEqualTo(1);
    assertThat(empty.err()).contains("found no picture");

    Line rate = feed("HTTP", "--model=pixels", "--fps=0");
    assertThat(rate.exitCode()).isEqualTo(1);
    assertThat(rate.err()).contains("frames per second must be above 0");
  }

  @Test
  void shouldExitWithTwoWhereItIsCalledWrongly() {
    assertThat(feed("carrier-pigeon").exitCode()).isEqualTo(2);
  }

  private static Line feed(String protocol, String... more) {
    int port = protocol.equals("HTTP") ? server.httpPort() : server.server().grpcPort();
    Map<String, String> options = new TreeMap<>();
    options.put("--protocol", protocol);
    options.put("--port", Integer.toString(port));
    options.put("--streams", "2");
    options.put("--fps", "50");
    options.put("--seconds", "0.2");
    options.put("--source", TestHome.REAL.resolve("conf/demo/images").toString());
    for (String option : more) {
      String[] parts = option.split("=", 2);
      options.put(parts[0], parts[1]);
    }
    String[] arguments =
        options.entrySet().stream()
            .map(option -> option.getKey() + "=" + option.getValue())
            .toArray(String[]::new);
    return Line.execute(new FeedCommand(), arguments);
  }
}
