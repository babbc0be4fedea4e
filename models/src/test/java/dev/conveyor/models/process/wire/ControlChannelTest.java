package dev.conveyor.models.process.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ControlChannelTest {

  /** So long that a test which waits it out does not end. */
  private static final long FOR_EVER_NS = Long.MAX_VALUE / 4;

  @TempDir private Path dir;
  private ControlPage page;
  private ControlChannel server;
  private ControlChannel worker;

  @BeforeEach
  void connect() throws IOException {
    page = ControlPage.create(dir.resolve("page"));
    UnixDomainSocketAddress address = UnixDomainSocketAddress.of(dir.resolve("socket"));
    try (ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      listener.bind(address);
      worker = new ControlChannel(SocketChannel.open(address), page.workerBell(0));
      server = new ControlChannel(listener.accept(), page.serverBell(0));
    }
  }

  @AfterEach
  void close() {
    server.close();
    worker.close();
  }

  @Test
  void shouldReceiveAwakeWhatIsThereAlready() throws IOException {
    for (int i = 0; i < 3; i++) {
      server.begin(MessageType.PREPARE).putInt(i).send();
      assertThat(worker.receive(FOR_EVER_NS).readInt()).isEqualTo(i);
    }
  }

  @Test
  void shouldBeEndedByTheBellWhileItWaitsAwake() throws IOException {
    CompletableFuture<Integer> received =
        CompletableFuture.supplyAsync(
            () -> {
              try {
                return worker.receive(FOR_EVER_NS).readInt();
              } catch (IOException e) {
                throw new IllegalStateException(e);
              }
            });
    server.begin(MessageType.PREPARE).putInt(7).send();
    assertThat(received.join()).isEqualTo(7);
  }

  @Test
  void shouldReceiveAsleepAndAwakeInTurns() throws IOException {
    for (int i = 0; i < 6; i++) {
      worker.begin(MessageType.DONE).putLong(i).send();
      assertThat(server.receive(i % 2 == 0 ? 0 : FOR_EVER_NS).readLong()).isEqualTo(i);
    }
  }

  @Test
  void shouldFallAsleepOverAMessageThatDoesNotComeInTime() throws IOException {
    CompletableFuture<Long> received =
        CompletableFuture.supplyAsync(
            () -> {
              try {
                return server.receive(1).readLong();
              } catch (IOException e) {
                throw new IllegalStateException(e);
              }
            });
    worker.begin(MessageType.DONE).putLong(8).send();
    assertThat(received.join()).isEqualTo(8);
  }

  @Test
  void shouldWaitForTheMessageWhenTheBellRangWithoutOne() throws IOException {
    page.workerBell(0).ring();
    CompletableFuture<Long> received =
        CompletableFuture.supplyAsync(
            () -> {
              try {
                return server.receive(FOR_EVER_NS).readLong();
              } catch (IOException e) {
                throw new IllegalStateException(e);
              }
            });
    worker.begin(MessageType.DONE).putLong(9).send();
    assertThat(received.join()).isEqualTo(9);
  }
}
