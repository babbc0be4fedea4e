package dev.conveyor.verticles.chaos;

import dev.conveyor.verticles.chaos.Answer.Outcome;
import dev.conveyor.verticles.chaos.Traffic.Reply;
import dev.conveyor.verticles.isolation.Decision;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.HdrHistogram.Histogram;

/**
 * Faults whose size is counted rather than their effect under load: a server with one model and one
 * instance, and requests over HTTP.
 *
 * <p>Not thread-safe: owned by who opened it, and closes it. Blocks.
 */
public final class Probe implements AutoCloseable {

  private static final String MODEL = "probe";
  private static final int BATCH = 32;

  /** Long enough for a batch to gather behind, short enough not to be cut. */
  private static final float HOLD_MS = 150;

  /** For what is told of an execution after its answers were sent. */
  private static final long COUNTED_MS = 50;

  private static final int MOST_TRIES = 5;
  private static final int SLOW_RUNS = 60;

  /** While the first requests are served, code is loaded and compiled. */
  private static final int COLD_RUNS = 10;

  private static final float HANG_MS = 20_000;
  private static final long EVENT_S = 60;

  private final Path scratch;
  private final ChaosServer server;
  private final Traffic traffic;
  private float next;

  private Probe(Path scratch, ChaosServer server) {
    this.scratch = scratch;
    this.server = server;
    this.traffic = new Traffic(server.httpPort(), ChaosPlan.PATIENCE);
  }

  /** Starts a server of its own. */
  public static Probe open() throws IOException, InterruptedException {
    Path scratch = Files.createTempDirectory("conveyor-chaos");
    try {
      return new Probe(
          scratch, ChaosServer.start(scratch, List.of(MODEL), Set.of(), ChaosPlan.PATIENCE, null));
    } catch (IOException | InterruptedException | RuntimeException e) {
      ChaosRun.delete(scratch);
      throw e;
    }
  }

  /**
   * What a culprit in a full batch cost.
   *
   * @param extra executions beyond the first, those that failed and those that succeeded
   * @param answered how many of the others got their answer
   */
  public record Culprit(int extra, int answered) {}

  /**
   * Sends a batch of 32 of which one fails.
   *
   * @param place of the one that fails among the others, in the order they are sent in
   * @throws IOException if the server does not make one batch of them
   */
  public Culprit culprit(int place) throws IOException, InterruptedException {
    for (int i = 0; i < MOST_TRIES; i++) {
      Queue<Integer> failing = new ConcurrentLinkedQueue<>();
      long before = server.executions(MODEL);
      Runnable deaf =
          server
              .events()
              .each(
                  event -> {
                    if (Faults.failing(event) > 0) {
                      failing.add(Faults.failing(event));
                    }
                  });
      CompletableFuture<Long> held = server.events().next(Faults::isSleep);
      CompletableFuture<Reply> hold =
          traffic.send(MODEL, row(Poison.SLEEP, HOLD_MS), sent -> false);
      heard(held);
      List<CompletableFuture<Reply>> answers = new ArrayList<>();
      for (int at = 0; at < BATCH; at++) {
        answers.add(
            at == place
                ? traffic.poison(MODEL, row(Poison.EXCEPTION, 0), "poison", sent -> false)
                : traffic.send(MODEL, row(at, 0), sent -> false));
      }
      hold.join();
      int right = 0;
      for (CompletableFuture<Reply> answer : answers) {
        right += answer.join().answer().outcome() == Outcome.RIGHT ? 1 : 0;
      }
      TimeUnit.MILLISECONDS.sleep(COUNTED_MS);
      deaf.run();
      Integer first = failing.peek();
      if (first != null && first == BATCH) {
        int succeeded = Math.toIntExact(server.executions(MODEL) - before - 1);
        return new Culprit(failing.size() - 1 + succeeded, right);
      }
    }
    throw new IOException("no batch of %d came about".formatted(BATCH));
  }

  /**
   * How a hang of a model was cut whose executions take long.
   *
   * @param p99Ms of requests that came one after the other
   * @param cutMs from when the execution began that hangs
   */
  public record Hang(double p99Ms, double cutMs) {}

  /** Lets the model take so long for every request, and then makes one hang. */
  public Hang hang(float usuallyMs) throws IOException, InterruptedException {
    Histogram latencies = new Histogram(3);
    for (int i = 0; i < SLOW_RUNS; i++) {
      Reply reply = traffic.send(MODEL, row(Poison.SLEEP, usuallyMs), sent -> false).join();
      if (reply.answer().outcome() != Outcome.RIGHT) {
        throw new IOException(reply.answer().detail());
      }
      if (i >= COLD_RUNS) {
        latencies.recordValue(reply.doneNs() - reply.sentNs());
      }
    }
    CompletableFuture<Long> begun = server.events().next(Faults::isSleep);
    CompletableFuture<Long> cut =
        server
            .events()
            .next(event -> Decision.EXECUTION_CUT.label().equals(event.getString("decision")));
    CompletableFuture<Reply> answer =
        traffic.poison(MODEL, row(Poison.SLEEP, HANG_MS), "may be sent again", sent -> true);
    double cutMs = -(heard(begun) - heard(cut)) / 1e6;
    answer.join();
    return new Hang(latencies.getValueAtPercentile(99) / 1e6, cutMs);
  }

  @Override
  public void close() throws IOException {
    traffic.close();
    server.close();
    ChaosRun.delete(scratch);
  }

  private float[] row(Poison poison, float amount) {
    return row(poison.mark(), amount);
  }

  private float[] row(float first, float second) {
    float[] row = new float[Traffic.WIDTH];
    row[0] = first;
    row[1] = second;
    row[2] = ++next;
    return row;
  }

  private static long heard(CompletableFuture<Long> event)
      throws IOException, InterruptedException {
    try {
      return event.get(EVENT_S, TimeUnit.SECONDS);
    } catch (TimeoutException | ExecutionException e) {
      throw new IOException("the server did not tell what was waited for", e);
    }
  }
}
