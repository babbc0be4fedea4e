package dev.conveyor.models.process;

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
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The server's end of one worker process.
 *
 * <p>It is talked to on its lines ({@link #line}), and closed by one thread; the rest may be called
 * from any thread. Every wait ends when the process does or is killed, so whoever wants a wait to
 * end kills the process.
 */
final class WorkerProcess implements Looked, AutoCloseable {

  private static final long EXIT_LIMIT_MS = 2_000;
  private static final String TOKEN = "CONVEYOR_WORKER_TOKEN";

  private final WorkerSpec spec;
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
  private volatile List<WorkerLine> lines = List.of();
  private volatile long loading;
  private long loads;
  private final AtomicLong lentBytes = new AtomicLong();

  private WorkerProcess(
      WorkerSpec spec,
      Process process,
      ControlPage page,
      ServerSocketChannel listener,
      Path socket,
      Path note,
      Path errors,
      String token) {
    this.spec = spec;
    this.process = process;
    this.page = page;
    this.listener = listener;
    this.socket = socket;
    this.note = note;
    this.errors = errors;
    this.token = token;
    this.output =
        new OutputTail(
            process.pid(),
            process.getInputStream(),
            report -> kill(Epitaph.crashed(process.pid(), report)));
  }

  /** Starts the process; it cannot be talked to before {@link #awaitHello}. */
  static WorkerProcess start(
      RuntimeDirectory directory, String mainClass, WorkerSpec spec, String owner)
      throws IOException {
    Path socket = directory.newFile("socket");
    Path pagePath = directory.newFile("page");
    Path errors = directory.newFile("crash");
    String token = UUID.randomUUID().toString();
    ControlPage page = ControlPage.create(pagePath);
    ServerSocketChannel listener = null;
    Process process = null;
    try {
      listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
      listener.bind(UnixDomainSocketAddress.of(socket), spec.lanes());
      ProcessBuilder builder = WorkerCommand.of(mainClass, spec, socket, pagePath, errors, owner);
      builder.environment().put(TOKEN, token);
      process = builder.start();
      ProcessFiles.offerToOomKiller(process.pid());
      Path note = directory.noteWorker(process.pid());
      WorkerProcess worker =
          new WorkerProcess(spec, process, page, listener, socket, note, errors, token);
      // Ends the wait for a connection that will not come.
      var unused = process.onExit().thenRun(worker::onExit);
      return worker;
    } catch (IOException | RuntimeException | Error e) {
      // An error too: where there is no thread to be had for its output, nobody else knows of it.
      if (process != null) {
        process.destroyForcibly();
      }
      if (listener != null) {
        listener.close();
      }
      delete(socket);
      delete(pagePath);
      throw e;
    }
  }

  /** Waits until the process has connected every lane and said who it is. */
  void awaitHello() throws WorkerLostException {
    try {
      for (int lane = 0; lane < spec.lanes(); lane++) {
        ControlChannel accepted = new ControlChannel(listener.accept(), page.serverBell(lane));
        List<WorkerLine> all = new ArrayList<>(lines);
        all.add(new WorkerLine(this, accepted));
        lines = List.copyOf(all);
        check(accepted.receive(0).expect(MessageType.HELLO), lane);
      }
      page.unlink();
    } catch (IOException e) {
      throw lost(e);
    } finally {
      closeListener();
    }
  }

  private void check(Message hello, int lane) throws IOException {
    int version = hello.readInt();
    if (version != ControlChannel.VERSION) {
      throw new ProtocolException(
          "version %d, this server has %d".formatted(version, ControlChannel.VERSION));
    }
    if (!hello.readString().equals(token)) {
      throw new ProtocolException("a stranger");
    }
    int said = hello.readInt();
    if (said != lane) {
      throw new ProtocolException("lane %d, expected %d".formatted(said, lane));
    }
  }

  /** Returns where one lane is talked to; only after {@link #awaitHello}. */
  WorkerLine line(int lane) {
    return lines.get(lane);
  }

  /** Returns what it was started with. */
  WorkerSpec spec() {
    return spec;
  }

  @Override
  public long pid() {
    return process.pid();
  }

  @Override
  public boolean isAlive() {
    return process.isAlive();
  }

  @Override
  public long beats() {
    return page.beats();
  }

  @Override
  public long heldBytes(long limitBytes) {
    return ProcessFiles.heldBytes(process.pid(), lentBytes.get(), limitBytes);
  }

  /** From now on so much more shared memory of the server's may be in the process, or less. */
  void lend(long moreBytes) {
    lentBytes.addAndGet(moreBytes);
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

  @Override
  public void kill(Loss why) {
    Loss first = verdict.compareAndExchange(null, why);
    process.destroyForcibly();
    lines.forEach(WorkerLine::close);
    lost.complete(first == null ? why : first);
  }

  @Override
  public void killIfEnding() {
    if (verdict.get() == null) {
      int signal = ProcessFiles.endingSignal(pid());
      if (signal > 0) {
        kill(Epitaph.of(pid(), Epitaph.SIGNALLED + signal, errors, ""));
      }
    }
  }

  @Override
  public long loading() {
    return loading;
  }

  /** A step of a load has begun. */
  void loadBegins() {
    loading = ++loads;
  }

  /** It is over. */
  void loadEnds() {
    loading = 0;
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

  /** Kills a process that says it can use its GPU no more; returns what to throw. */
  WorkerLostException lostDevice(Loss.Cause cause, String why) {
    String verb = cause == Loss.Cause.DEVICE_LOST ? "has lost" : "cannot use";
    kill(new Loss(cause, "worker process %d %s its GPU: %s".formatted(pid(), verb, why)));
    return new WorkerLostException(loss());
  }

  /** Lets the process end, or makes it; removes what it leaves. */
  @Override
  public void close() {
    verdict.compareAndSet(
        null, new Loss(Loss.Cause.CLOSED, "worker process " + pid() + " was closed"));
    closeListener();
    lines.forEach(WorkerLine::close);
    awaitExit();
    delete(note);
    delete(errors);
    // Its name is still there if the process never said hello.
    delete(page.path());
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
