package dev.conveyor.verticles.bench.host;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

class ProcFsTest {

  @TempDir private Path root;

  @Test
  void shouldAddUserAndSystemTimeWhateverTheCommandIsCalled() throws IOException {
    write("7/stat", "7 (a ) R (b) S 1 7 7 0 -1 4194560 9 0 0 0 1234 66 5 5 20 0 1 0 100 0 0");

    assertThat(new ProcFs(root).cpuSeconds(7)).hasValue(13.0);
  }

  @Test
  void shouldAddTheTimesOfThreadsWithAName() throws IOException {
    write("7/task/8/comm", "loop-scheduler\n");
    write("7/task/8/schedstat", "1500000000 30 40\n");
    write("7/task/9/comm", "loop-scheduler\n");
    write("7/task/9/schedstat", "250000000 1 2\n");
    write("7/task/10/comm", "java\n");
    write("7/task/10/schedstat", "9000000000 1 2\n");
    Files.createDirectories(root.resolve("7/task/11")); // of a thread that has just ended

    assertThat(new ProcFs(root).threadCpuSeconds(7, "loop-scheduler")).hasValue(1.75);
    assertThat(new ProcFs(root).threadCpuSeconds(7, "none")).isEmpty();
    assertThat(new ProcFs(root).threadCpuSeconds(6, "java")).isEmpty();
  }

  @Test
  void shouldCountTheTimeTheMachineWasNotIdle() throws IOException {
    assertThat(new ProcFs(root).busySeconds()).isEmpty();
    write("stat", "cpu  100 20 30 9999 888 4 5 41 7 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n");

    assertThat(new ProcFs(root).busySeconds()).hasValue(2.0);
  }

  @Test
  void shouldReadResidentMemory() throws IOException {
    write("7/status", "Name:\tjava\nVmHWM:\t  2048 kB\nVmRSS:\t    1024 kB\n");

    assertThat(new ProcFs(root).residentBytes(7)).hasValue(1 << 20);
  }

  @Test
  void shouldAnswerNothingForAProcessThatIsGone() {
    assertThat(new ProcFs(root).cpuSeconds(7)).isEmpty();
    assertThat(new ProcFs(root).residentBytes(7)).isEmpty();
    assertThat(new ProcFs(root).listener(8000)).isEmpty();
  }

  @Test
  void shouldFindTheOwnerOfAListeningSocketOnly() throws IOException {
    write(
        "net/tcp",
        """
          sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid inode
           0: 0100007F:1F40 0100007F:8888 01 0:0 00:0 0 0 0 111 1
           1: 0100007F:1F40 00000000:0000 0A 0:0 00:0 0 0 0 222 1
        """);
    link("5/fd/3", "socket:[111]");
    link("6/fd/3", "/dev/null");
    link("6/fd/4", "socket:[222]");

    assertThat(new ProcFs(root).listener(0x1F40)).hasValue(6);
    assertThat(new ProcFs(root).listener(0x1F41)).isEmpty();
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void shouldFindThisProcessByAPortItListensOn() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      long self = ProcessHandle.current().pid();

      assertThat(ProcFs.system().listener(socket.getLocalPort())).hasValue(self);
      assertThat(ProcFs.system().residentBytes(self).getAsLong()).isGreaterThan(1 << 20);
      assertThat(ProcFs.ownCpu().seconds().getAsDouble()).isPositive();
    }
  }

  private void write(String path, String text) throws IOException {
    Path file = root.resolve(path);
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
  }

  private void link(String path, String target) throws IOException {
    Path file = root.resolve(path);
    Files.createDirectories(file.getParent());
    Files.createSymbolicLink(file, Path.of(target));
  }
}
