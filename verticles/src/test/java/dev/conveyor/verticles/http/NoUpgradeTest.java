package dev.conveyor.verticles.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.verticles.server.HttpCalls;
import dev.conveyor.verticles.server.HttpCalls.Answer;
import dev.conveyor.verticles.server.RawConnection;
import dev.conveyor.verticles.server.Requests;
import dev.conveyor.verticles.server.ServerCase;
import dev.conveyor.verticles.server.TestModels;
import java.io.IOException;
import java.net.http.HttpClient;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Clients that begin with HTTP/1 and ask to go on over HTTP/2. */
final class NoUpgradeTest extends ServerCase {

  /** Its answer is more than the JDK's client reads at once. */
  private static final int WIDTH = 20_000;

  private static final int CLIENTS = 40;

  private static final String UPGRADE =
      "host: x\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\n"
          + "http2-settings: AAQBAAAA\r\n";

  @BeforeAll
  static void start() {
    serve(new TestModels(dir).identity("wide", WIDTH));
  }

  @Test
  void shouldAnswerEveryNewClientOfTheJdkInFull() {
    byte[] data = Requests.counting(1, WIDTH);
    for (int i = 0; i < CLIENTS; i++) {
      HttpCalls client = new HttpCalls(server.httpPort(), HttpClient.Version.HTTP_2);
      Answer answer = client.infer("wide", Requests.binary(WIDTH, "INPUT0"), data);
      assertThat(answer.status()).as("client %d", i).isEqualTo(200);
      assertThat(answer.binary()).isEqualTo(data);
      assertThat(answer.response().version()).isEqualTo(HttpClient.Version.HTTP_1_1);
    }
  }

  @Test
  void shouldAnswerTheFirstRequestAndThoseAfterIt() throws IOException {
    try (RawConnection client = new RawConnection(server.httpPort())) {
      for (int i = 0; i < 2; i++) {
        client.send("GET /v2/health/live HTTP/1.1\r\n" + UPGRADE + "\r\n");
        assertThat(client.statusLine()).isEqualTo("HTTP/1.1 200 OK");
        client.answer();
      }
    }
  }

  @Test
  void shouldAnswerARequestThatComesInPieces() throws IOException {
    try (RawConnection client = new RawConnection(server.httpPort())) {
      // As HTTP/2 begins, too.
      for (String piece : new String[] {"P", "O", "ST /v2/repository/index HTTP/1.1\r\n"}) {
        client.send(piece);
      }
      client.send(UPGRADE).send("content-length: 2\r\n\r\n").send("{}");
      assertThat(client.statusLine()).isEqualTo("HTTP/1.1 200 OK");
      client.answer();
    }
  }
}
