package dev.conveyor.verticles.chaos;

import dev.conveyor.verticles.chaos.Traffic.Reply;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongPredicate;
import org.jspecify.annotations.Nullable;

/**
 * Does what a {@link Fault} says to one model of a server.
 *
 * <p>Not thread-safe: owned by the run. Blocks while the fault lasts. Poisoned requests are counted
 * with the others.
 */
final class Injector {

  private static final int BATCH = 32;
  private static final float HANG_MS = 30_000;
  private static final float BLOCK_MS = 500;
  private static final int RELOADS = 10;
  private static final int COME_AGAIN = 503;
  private static final long RELOAD_EVERY_MS = 200;
  private static final long CONTROL_MS = 500;
  private static final long JUMP_MS = 2500;
  private static final Duration JUMP = Duration.ofHours(1);
  private static final int MOST_BATCHES = 100;
  private static final long EVENT_MS = 100;
  private static final int MOST_TAKES = 5;
  private static final long MEMORY_EVENT_MS = 1_000;
  private static final long WORKER_MS = 10_000;
  private static final Duration AGAIN = Duration.ofSeconds(30);

  /** So many instances a request may cost, however often it is sent. */
  private static final int MOST_LOST = 3;

  /** The answer that says so, and two to requests that cost nothing any more. */
  private static final int TIMES_TOLD = 3;

  private static final int MOST_SENDS = 100;
  private static final long SEND_EVERY_MS = 100;

  /** For faults that are not tried again. */
  static final Future<?> DECIDED = CompletableFuture.completedFuture(0L);

  /** So that no two requests are alike: what failed is remembered. */
  private static final AtomicLong NEXT = new AtomicLong();

  private final ChaosServer server;
  private final Traffic traffic;
  private final Outages outages;
  private final @Nullable FakeClock clock;
  private String victim = "";
  private Duration loadsWithin = Duration.ZERO;
  private long actedNs;

  /**
   * Creates one.
   *
   * @param clock of the server, if it has one that can be made to jump
   */
  Injector(ChaosServer server, Traffic traffic, Outages outages, @Nullable FakeClock clock) {
    this.outages = outages;
    this.server = server;
    this.traffic = traffic;
    this.clock = clock;
  }

  /** From now on faults concern this model. */
  void aim(String model) {
    victim = model;
  }

  String victim() {
    return victim;
  }

  /** Others break things, too: a load that is told to come again does so for this long. */
  void loadWithin(Duration patience) {
    loadsWithin = patience;
  }

  /** Returns when the last fault began, by {@link System#nanoTime}. */
  long actedNs() {
    return actedNs;
  }

  /**
   * Injects a fault.
   *
   * @param decided complete once the server has decided about it; what takes the chance that
   *     requests meet in a batch is tried again until then
   */
  void inject(Fault fault, Tally tally, Future<?> decided)
      throws IOException, InterruptedException {
    actedNs = System.nanoTime();
    switch (fault) {
      case CONTROL -> TimeUnit.MILLISECONDS.sleep(CONTROL_MS);
      case POISON -> poison(tally, Poison.EXCEPTION, 0, "poison");
      case ERROR -> poison(tally, Poison.ERROR, 0, "error in the backend");
      case SHAPE -> poison(tally, Poison.SHAPE, 0, "declares");
      case NAN -> poison(tally, Poison.NAN, 0, "not finite");
      case SICKNESS -> poison(tally, Poison.SICKNESS, 0, "sick");
      case HANG -> poison(tally, Poison.SLEEP, HANG_MS, "may be sent again");
      case OUT_OF_MEMORY -> runOutOfMemory(tally, decided);
      case FILE_REPLACED -> withAnotherFile(file -> Files.writeString(file, "no model"));
      case FILE_DELETED -> withAnotherFile(Files::delete);
      case RELOAD_STORM -> {
        for (int i = 0; i < RELOADS; i++) {
          reload(200);
        }
      }
      case DISCONNECTS -> BadClients.disconnect(server.httpPort(), victim);
      case SLOW_LORIS -> BadClients.trickle(server.httpPort(), victim);
      case SIGKILL -> signalWorkers(Signal.KILL);
      case SIGSEGV -> signalWorkers(Signal.SEGV);
      case SIGSTOP -> signalWorkers(Signal.STOP);
      case GARBAGE -> poison(tally, Poison.GARBAGE, 0, "may be sent again");
      case RESENT -> resend(tally);
      case CHILD_MEMORY -> takeMemory(tally, decided);
      case CHILD_FILE -> withAnotherFile(file -> loseWorkerOf(file, tally));
      case FULL_DISK -> fillDisk();
      case BLOCKED_LOOP -> poison(tally, Poison.BLOCKED_LOOP, BLOCK_MS, null);
      case PAUSE -> {
        server.signal(Signal.STOP);
        TimeUnit.MILLISECONDS.sleep(500);
        server.signal(Signal.CONT);
      }
      case CLOCK_JUMP -> jump();
    }
  }

  private List<Long> signalWorkers(Signal signal) throws IOException, InterruptedException {
    long startNs = System.nanoTime();
    List<Long> workers = server.workers(victim);
    while (workers.isEmpty()) {
      if (System.nanoTime() - startNs > TimeUnit.MILLISECONDS.toNanos(WORKER_MS)) {
        throw new IOException("'%s' has no worker to send %s to".formatted(victim, signal));
      }
      TimeUnit.MILLISECONDS.sleep(1);
      workers = server.workers(victim);
    }
    actedNs = System.nanoTime();
    workers.forEach(signal::to);
    return workers;
  }

  /** Only a batch of more than so many runs out of memory, and who is in one is chance. */
  private void runOutOfMemory(Tally tally, Future<?> decided) throws InterruptedException {
    int tries = 0;
    do {
      actedNs = System.nanoTime();
      poison(tally, Poison.OUT_OF_MEMORY, 8, null);
    } while (!isDecided(decided, EVENT_MS) && ++tries < MOST_BATCHES);
  }

  /**
   * On a busy machine to take so much memory lasts longer than an execution may: the worker is cut
   * as hung before it is seen what it holds, and the next one is tried.
   */
  private void takeMemory(Tally tally, Future<?> decided) throws IOException, InterruptedException {
    actedNs = System.nanoTime();
    poison(tally, Poison.MEMORY, 0, "may be sent again");
    for (int i = 1; i < MOST_TAKES && !isDecided(decided, MEMORY_EVENT_MS); i++) {
      reload();
      actedNs = System.nanoTime();
      poison(tally, Poison.MEMORY, 0, "may be sent again");
    }
  }

  /** A client that is told to send a request again does, until it is told what is wrong with it. */
  private void resend(Tally tally) throws InterruptedException {
    String model = victim;
    AtomicInteger lost = new AtomicInteger();
    Runnable end =
        server
            .events()
            .each(event -> lost.addAndGet(Fault.RESENT.isDetectedBy(event, model) ? 1 : 0));
    try {
      float[] row = new float[Traffic.WIDTH];
      row[0] = Poison.GARBAGE.mark();
      row[2] = NEXT.incrementAndGet();
      int told = 0;
      for (int i = 0; i < MOST_SENDS && told < TIMES_TOLD; i++) {
        Answer answer =
            traffic
                .poison(model, row, "not run now", sentNs -> outages.covers(model, sentNs))
                .join()
                .answer();
        tally.count(answer, false, 0);
        told += answer.equals(Answer.OWN_ERROR) ? 1 : 0;
        TimeUnit.MILLISECONDS.sleep(SEND_EVERY_MS);
      }
      if (told < TIMES_TOLD || lost.get() > MOST_LOST) {
        tally.surprise(
            "%s: one request cost %d instances and was refused %d times"
                .formatted(model, lost.get(), told));
      }
    } finally {
      end.run();
    }
  }

  private static boolean isDecided(Future<?> decided, long waitMs) throws InterruptedException {
    try {
      decided.get(waitMs, TimeUnit.MILLISECONDS);
      return true;
    } catch (TimeoutException | ExecutionException notYet) {
      return false;
    }
  }

  /**
   * The clock jumps, and it is made sure that the server saw it.
   *
   * @throws IOException if it did not
   */
  private void jump() throws IOException, InterruptedException {
    FakeClock jumping = Objects.requireNonNull(clock);
    long beforeMs = server.lastInferenceMs(victim);
    jumping.shift(JUMP);
    TimeUnit.MILLISECONDS.sleep(JUMP_MS);
    long afterMs = server.lastInferenceMs(victim);
    jumping.shift(JUMP.negated());
    TimeUnit.MILLISECONDS.sleep(JUMP_MS);
    long backMs = server.lastInferenceMs(victim);
    jumping.shift(Duration.ZERO);
    long leastMs = JUMP.toMillis() / 2;
    if (afterMs - beforeMs < leastMs || beforeMs - backMs < leastMs) {
      throw new IOException(
          "the server's clock should have jumped by an hour, and went from %d to %d to %d ms"
              .formatted(beforeMs, afterMs, backMs));
    }
  }

  /** Sends one poisoned request and 31 others at the same time. */
  private void poison(Tally tally, Poison poison, float amount, @Nullable String message) {
    String model = victim;
    LongPredicate away = sentNs -> outages.covers(model, sentNs);
    List<CompletableFuture<Reply>> answers = new ArrayList<>();
    for (int i = 0; i < BATCH; i++) {
      float[] row = new float[Traffic.WIDTH];
      row[0] = i == BATCH / 2 ? poison.mark() : i;
      row[1] = i == BATCH / 2 ? amount : NEXT.incrementAndGet();
      row[2] = NEXT.incrementAndGet();
      answers.add(
          i == BATCH / 2
              ? traffic.poison(model, row, message, away)
              : traffic.send(model, row, away));
    }
    for (CompletableFuture<Reply> answer : answers) {
      tally.count(answer.join().answer(), false, 0);
    }
  }

  private interface Tampering {
    void on(Path file) throws IOException, InterruptedException;
  }

  /** A reload must fail and the old version serve on; then the file comes back. */
  private void withAnotherFile(Tampering tampering) throws IOException, InterruptedException {
    Path file = server.modelFile(victim);
    byte[] good = Files.readAllBytes(file);
    // As those who replace files should: the old one stays whole for who has it open.
    Files.delete(file);
    Files.write(file, good);
    tampering.on(file);
    reload(400);
    Files.write(file, good);
    reload(200);
  }

  /** The worker that replaces the one that is killed must serve what was loaded. */
  private void loseWorkerOf(Path file, Tally tally) throws IOException, InterruptedException {
    Files.writeString(file, "no model");
    List<Long> before = signalWorkers(Signal.KILL);
    long endNs = System.nanoTime() + Math.max(AGAIN.toNanos(), loadsWithin.toNanos());
    while (before.containsAll(server.workers(victim)) || !answersRight(tally)) {
      if (System.nanoTime() - endNs > 0) {
        tally.surprise(victim + ": no other worker serves what was loaded from " + file);
        return;
      }
      TimeUnit.MILLISECONDS.sleep(SEND_EVERY_MS);
    }
  }

  private boolean answersRight(Tally tally) {
    String model = victim;
    float[] row = new float[Traffic.WIDTH];
    row[2] = NEXT.incrementAndGet();
    Answer answer =
        traffic.send(model, row, sentNs -> outages.covers(model, sentNs)).join().answer();
    tally.count(answer, false, 0);
    return answer.equals(Answer.RIGHT);
  }

  /** The server may refuse the reload or not; the model serves on, and takes one later. */
  private void fillDisk() throws IOException, InterruptedException {
    server.limitFiles("0:");
    try {
      HttpResponse<String> unused = server.repository(victim, "load");
    } finally {
      server.limitFiles("unlimited:");
    }
    reload(200);
  }

  /** Loads the model anew, which forgives what its instances did. */
  void reload() throws IOException, InterruptedException {
    reload(200);
  }

  private void reload(int expected) throws IOException, InterruptedException {
    long endNs = System.nanoTime() + loadsWithin.toNanos();
    HttpResponse<String> answer = server.repository(victim, "load");
    while (answer.statusCode() == COME_AGAIN && endNs - System.nanoTime() > 0) {
      TimeUnit.MILLISECONDS.sleep(RELOAD_EVERY_MS);
      answer = server.repository(victim, "load");
    }
    if (answer.statusCode() != expected) {
      throw new IOException(
          "a reload of %s gave HTTP %d, not %d: %s"
              .formatted(victim, answer.statusCode(), expected, answer.body()));
    }
  }
}
