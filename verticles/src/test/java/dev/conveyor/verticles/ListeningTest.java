package dev.conveyor.verticles;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.verticles.metrics.MetricsFrontEnd;
import io.vertx.core.Vertx;
import java.net.BindException;
import java.net.InetAddress;
import java.net.ServerSocket;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ListeningTest {

  private final Vertx vertx = Vertx.vertx();

  @AfterEach
  void close() {
    vertx.close().await();
  }

  @Test
  void shouldNameThePortThatIsInUse() throws Exception {
    try (ServerSocket other = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      int port = other.getLocalPort();
      MetricsFrontEnd second = new MetricsFrontEnd("127.0.0.1", port, () -> "");

      assertThatThrownBy(() -> vertx.deployVerticle(second).await())
          .isInstanceOf(BindException.class)
          .hasMessageContaining("metrics: cannot listen on 127.0.0.1:" + port);
    }
  }
}
