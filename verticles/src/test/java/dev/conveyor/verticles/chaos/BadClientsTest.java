package dev.conveyor.verticles.chaos;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

final class BadClientsTest {

  private static final int COUNT = 100;

  @Test
  void shouldHaveAllConnectionsOpenAtTheSameTimeAndThenResetThem() throws Exception {
    try (ServerSocket server = new ServerSocket(0, COUNT, InetAddress.getLoopbackAddress())) {
      List<Socket> clients = BadClients.open(server.getLocalPort(), COUNT, "half");
      List<Socket> accepted = new ArrayList<>();
      for (int i = 0; i < COUNT; i++) {
        Socket socket = server.accept();
        accepted.add(socket);
        assertThat(socket.getInputStream().readNBytes(4)).asString().isEqualTo("half");
      }
      for (Socket socket : accepted) {
        socket.setSoTimeout(1);
        assertThatThrownBy(() -> socket.getInputStream().read())
            .as("it is open, and says nothing")
            .isInstanceOf(java.net.SocketTimeoutException.class);
        socket.setSoTimeout(0);
      }
      BadClients.closeAll(clients);
      for (Socket socket : accepted) {
        assertThatThrownBy(() -> socket.getInputStream().read())
            .isInstanceOf(IOException.class)
            .hasMessageContaining("reset");
        socket.close();
      }
    }
  }
}
