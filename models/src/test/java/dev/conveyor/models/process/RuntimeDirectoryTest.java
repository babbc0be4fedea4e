package dev.conveyor.models.process;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.MemoryBudget;
import dev.conveyor.models.backend.LoadedModel;
import dev.conveyor.models.process.worker.WorkerMain;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class RuntimeDirectoryTest {

  @TempDir private Path parent;

  @Test
  void shouldRemoveWhatACrashedServerLeftAndNothingElse() throws Exception {
    Path dead = Files.createDirectory(parent.resolve("conveyor-1-dead"));
    Files.createFile(dead.resolve("lock"));
    Files.createFile(dead.resolve("slab1"));
    Path young = Files.createDirectory(parent.resolve("conveyor-2-young"));
    Path unlocked = Files.createDirectory(parent.resolve("conveyor-4194999-unlocked"));
    Files.createFile(unlocked.resolve("lock.new"));
    FileTime created = Files.getLastModifiedTime(unlocked);
    Files.setLastModifiedTime(unlocked, FileTime.fromMillis(created.toMillis() - 120_000));
    Path foreign = Files.createDirectory(parent.resolve("something"));
    Process hung = new ProcessBuilder("sleep", "1000").start();
    long ticks = ProcessFiles.startTicks(hung.pid());
    Files.createFile(dead.resolve("worker-%d-%d".formatted(hung.pid(), ticks)));
    Process stranger = new ProcessBuilder("sleep", "1000").start();
    Files.createFile(dead.resolve("worker-%d-%d".formatted(stranger.pid(), ticks + 1_000)));
    try (RuntimeDirectory ours = RuntimeDirectory.create(parent)) {
      assertThat(hung.waitFor(60, TimeUnit.SECONDS)).as("its worker is killed").isTrue();
      assertThat(stranger.isAlive()).as("a process that took the number since").isTrue();
      assertThat(dead).doesNotExist();
      assertThat(unlocked).as("its server died before it had locked it").doesNotExist();
      assertThat(young).exists();
      assertThat(foreign).exists();

      assertThat(RuntimeDirectory.clean(parent)).as("a second server in this process").isZero();
      assertThat(ours.path()).exists();
      assertThat(cleanInAnotherProcess()).isEqualTo("0");
      assertThat(ours.path()).as("locked").exists();
    } finally {
      hung.destroyForcibly();
      stranger.destroyForcibly();
    }
    try (Stream<Path> left = Files.list(parent)) {
      assertThat(left).containsExactlyInAnyOrder(young, foreign);
    }
  }

  @Test
  void shouldLeaveDirectoriesOfOthersThatAreCalledAlike() throws IOException {
    Path theirs = Files.createDirectory(parent.resolve("conveyor-4194999-backup"));
    Files.createFile(theirs.resolve("accounts"));
    FileTime created = Files.getLastModifiedTime(theirs);
    Files.setLastModifiedTime(theirs, FileTime.fromMillis(created.toMillis() - 120_000));

    assertThat(RuntimeDirectory.clean(parent)).isZero();
    assertThat(theirs.resolve("accounts")).exists();
  }

  @Test
  void shouldKillNothingForADirectoryThatALinkLeadsTo() throws Exception {
    Path elsewhere = Files.createDirectory(parent.resolve("elsewhere"));
    Files.createFile(elsewhere.resolve("lock"));
    Process named = new ProcessBuilder("sleep", "1000").start();
    try {
      long ticks = ProcessFiles.startTicks(named.pid());
      Files.createFile(elsewhere.resolve("worker-%d-%d".formatted(named.pid(), ticks)));
      Path link = Files.createSymbolicLink(parent.resolve("conveyor-1-link"), elsewhere);

      assertThat(RuntimeDirectory.clean(parent)).isZero();

      assertThat(link).isSymbolicLink();
      assertThat(elsewhere.resolve("lock")).exists();
    } finally {
      assertThat(named.isAlive()).isTrue();
      named.destroyForcibly();
    }
  }

  @Test
  void shouldLeaveADirectoryWhoseNumberIsThatOfNoProcess() throws IOException {
    Path number = Files.createDirectory(parent.resolve("conveyor-99999999999999999999-x"));

    assertThat(RuntimeDirectory.clean(parent)).isZero();
    assertThat(number).exists();
  }

  @Test
  void shouldNotLetAWorkerOutliveItsServer() throws Exception {
    Process server = java(Server.class, parent.toString());
    long worker;
    try (BufferedReader output = server.inputReader()) {
      worker = Long.parseLong(output.readLine());
      ProcessHandle handle = ProcessHandle.of(worker).orElseThrow();
      assertThat(handle.isAlive()).isTrue();
      server.destroyForcibly();
      handle.onExit().get(60, TimeUnit.SECONDS);
    }
    assertThat(RuntimeDirectory.clean(parent)).as("the directory that it left").isEqualTo(1);
    try (Stream<Path> left = Files.list(parent)) {
      assertThat(left.filter(path -> path.getFileName().toString().startsWith("conveyor-")))
          .isEmpty();
    }
  }

  private String cleanInAnotherProcess() throws IOException {
    Process cleaner = java(Cleaner.class, parent.toString());
    try (BufferedReader output = cleaner.inputReader()) {
      return output.readLine();
    }
  }

  private static Process java(Class<?> main, String argument) throws IOException {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:TieredStopAtLevel=1",
            "-cp",
            System.getProperty("java.class.path"),
            main.getName(),
            argument)
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
  }

  /** Removes what crashed servers left and prints how many. */
  static final class Cleaner {
    public static void main(String[] arguments) {
      System.out.println(RuntimeDirectory.clean(Path.of(arguments[0])));
    }
  }

  /** Starts a worker, prints its number and waits to be killed. */
  static final class Server {
    public static void main(String[] arguments) throws Exception {
      Path parent = Path.of(arguments[0]);
      Path file = Files.writeString(parent.resolve("model"), "good");
      Workers workers = new Workers(parent, WorkerMain.class.getName(), Duration.ofMinutes(5));
      LoadedModel model =
          new ProcessBackend(workers, FaultyBackend.class, "faulty", ProcessLimits.NONE)
              .load(file, Runs.options(new MemoryBudget("CPU", 64L << 20)));
      System.out.println(ProcessHandle.current().children().findFirst().orElseThrow().pid());
      TimeUnit.DAYS.sleep(1);
      model.close();
    }
  }
}
