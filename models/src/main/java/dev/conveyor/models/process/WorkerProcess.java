package dev.conveyor.models.process;

import dev.conveyor.models.backend.Backend;
import dev.conveyor.models.process.wire.ControlChannel;
import dev.conveyor.models.process.wire.ControlPage;
import dev.conveyor.models.process.wire.Message;
import dev.conveyor.models.process.wire.MessageType;
import dev.conveyor.models.process.wire.ProtocolException;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The server's end of one worker process.
 *
 * <p>One thread at a time talks to it ({@link #begin}, {@link #call}) and closes it; the rest may
 * be called from any thread. Every wait ends when the process does or is killed, so whoever wants a
 * wait to end kills the process.
 */
final class WorkerProcess implements AutoCloseable {

  private static final long EXIT_LIMIT_MS = 2_000;
  private static final String TOKEN = "CONVEYOR_WORKER_TOKEN";

  private final Process process;
  private final ControlPage page;
  private final ServerSocketChannel listener;
  private final Path socket;
  private final Path note;
  private final Path errors;
  private final String token;
  private final OutputTail output;
  private final AtomicReference<@Nullable Loss> verdict = new AtomicReference<>();
  private final CompletableFuture<Loss> lost = new CompletableFuture<>();
  private volatile @Nullable ControlChannel channel;
  private volatile long loading;
  private long loads;
  private volatile long lentBytes;

  private WorkerProcess(
      Process process,
      ControlPage page,
      ServerSocketChannel listener,
      Path socket,
      Path note,
      Path errors,
      String token) {
    this.process = process;
    this.page = page;
    this.listener = listener;
    this.socket = socket;
    this.note = note;
    this.errors = errors;
    this.token = token;
    this.output = new OutputTail(process, report -> kill(Epitaph.crashed(process.pid(), report)));
  }

  /** Starts the process; it cannot be talked to before {@link #awaitHello}. */
  static WorkerProcess start(
      RuntimeDirectory directory,
      String mainClass,
      Class<? extends Backend> backend,
      ProcessLimits limits,
      String owner)
      throws IOException {
    Path socket = directory.newFile("socket");
    Path pagePath = directory.newFile("page");
    Path errors = directory.newFile("crash");
    String token = UUID.randomUUID().toString();
    ControlPage page = ControlPage.create(pagePath);
    ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    try {
      listener.bind(UnixDomainSocketAddress.of(socket), 1);
      ProcessBuilder builder =
          WorkerCommand.of(mainClass, backend, limits, socket, pagePath, errors, owner);
      builder.environment().put(TOKEN, token);
      Process process = builder.start();
      Path note = directory.noteWorker(process.pid());
      WorkerProcess worker =
          new WorkerProcess(process, page, listener, socket, note, errors, token);
      // Ends the wait for a connection that will not come.
      var unused = process.onExit().thenRun(worker::onExit);
      return worker;
    } catch (IOException | RuntimeException e) {
      listener.close();
      page.unlink();
      Files.deleteIfExists(socket);
      throw e;
    }
  }

  /** Waits until the process has connected and said who it is. */
  void awaitHello() throws WorkerLostException {
    try {
      ControlChannel accepted = new ControlChannel(listener.accept(), page.serverBell());
      channel = accepted;
      Message hello = accepted.receive(0).expect(MessageType.HELLO);
      int version = hello.readInt();
      if (version != ControlChannel.VERSION) {
        throw new ProtocolException(
            "version %d, this server has %d".formatted(version, ControlChannel.VERSION));
      }
      if (!hello.readString().equals(token)) {
        throw new ProtocolException("a stranger");
      }
      page.unlink();
    } catch (IOException e) {
      throw lost(e);
    } finally {
      closeListener();
    }
  }

  long pid() {
    return process.pid();
  }

  boolean isAlive() {
    return process.isAlive();
  }

  /** Returns how far the process has counted; it counts on as long as it is well. */
  long beats() {
    return page.beats();
  }

  /**
   * Returns the bytes in memory that the process holds, those that it was lent left out.
   *
   * @param limitBytes up to here it does not matter how much it is
   */
  long heldBytes(long limitBytes) {
    return ProcessFiles.heldBytes(process.pid(), lentBytes, limitBytes);
  }

  /** From now on so much shared memory of the server's may be in the process. */
  void lend(long bytes) {
    lentBytes = bytes;
  }

  /**
   * Tells how the process ended, on any thread, once it has or was killed; also if it has already.
   * To tear down the memory of one that was killed takes the system tens of milliseconds, which
   * nobody needs to wait for.
   */
  void whenLost(Consumer<Loss> listener) {
    var unused = lost.thenAccept(listener);
  }

  private void onExit() {
    closeListener();
    lost.complete(loss());
  }

  /** Returns how the process was lost, in one word; empty while that is not known. */
  String lossCause() {
    Loss known = verdict.get();
    return known == null ? "" : known.cause().name().toLowerCase(Locale.ROOT);
  }

  /** Kills the process; the first verdict stays. Who waits for an answer waits no longer. */
  void kill(Loss why) {
    Loss first = verdict.compareAndExchange(null, why);
    process.destroyForcibly();
    ControlChannel open = channel;
    if (open != null) {
      open.close();
    }
    lost.complete(first == null ? why : first);
  }

  /** Gives up a process that a signal ends before that has come to its end. */
  void killIfEnding() {
    if (verdict.get() == null) {
      int signal = ProcessFiles.endingSignal(pid());
      if (signal > 0) {
        kill(Epitaph.of(pid(), Epitaph.SIGNALLED + signal, errors, ""));
      }
    }
  }

  /** Begins a message. */
  @SuppressWarnings("NullAway") // nobody has a worker that has not said hello
  ControlChannel begin(MessageType type) {
    return channel.begin(type);
  }

  /** Returns the number of the step of a load that it is at; 0 if it is at none. */
  long loading() {
    return loading;
  }

  /** As {@link #call()}, for what the watch allows the time of a load. */
  Message callToLoad() throws WorkerLostException {
    loading = ++loads;
    try {
      return call();
    } finally {
      loading = 0;
    }
  }

  /** As {@link #call(long)}, asleep. */
  Message call() throws WorkerLostException {
    return call(0);
  }

  /**
   * Sends what was begun and waits for the answer, which is valid until the next call.
   *
   * @param awakeNs how long to wait awake
   * @throws WorkerLostException if the process is gone, or had to be killed for what it said
   */
  @SuppressWarnings("NullAway") // as above
  Message call(long awakeNs) throws WorkerLostException {
    try {
      channel.send();
      return channel.receive(awakeNs);
    } catch (IOException e) {
      throw lost(e);
    }
  }

  /** Kills the process for what it said, or buries it if it died; returns what to throw. */
  WorkerLostException lost(IOException failure) {
    if (failure instanceof ProtocolException) {
      kill(
          new Loss(
              Loss.Cause.PROTOCOL_ERROR,
              "worker process %d broke the protocol: %s".formatted(pid(), failure.getMessage())));
    }
    Loss known = verdict.get();
    if (known != null) {
      return new WorkerLostException(known);
    }
    awaitExit();
    return new WorkerLostException(loss());
  }

  /** Lets the process end, or makes it; removes what it leaves. */
  @Override
  public void close() {
    verdict.compareAndSet(
        null, new Loss(Loss.Cause.CANCELLED, "worker process " + pid() + " was closed"));
    closeListener();
    ControlChannel open = channel;
    if (open != null) {
      open.close();
    }
    awaitExit();
    delete(note);
    delete(errors);
  }

  private void awaitExit() {
    try {
      if (!process.waitFor(EXIT_LIMIT_MS, TimeUnit.MILLISECONDS)) {
        kill(
            new Loss(
                Loss.Cause.PROTOCOL_ERROR,
                "worker process %d closed its channel and went on".formatted(pid())));
        process.waitFor();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }

  /** Returns how it ended, always the same; only for a process that has. */
  private Loss loss() {
    Loss known = verdict.get();
    if (known != null) {
      return known;
    }
    Loss found = Epitaph.of(pid(), process.exitValue(), errors, output.text());
    Loss first = verdict.compareAndExchange(null, found);
    return first == null ? found : first;
  }

  private void closeListener() {
    try {
      listener.close();
    } catch (IOException e) {
      // What remains of it is a name, deleted here.
    }
    delete(socket);
  }

  private static void delete(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      // Goes with the directory.
    }
  }
}
