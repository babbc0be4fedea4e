package dev.conveyor.verticles.instance;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.ExecutionException.Kind;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.scheduler.Batch;
import dev.conveyor.scheduler.BatchOutcome;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.isolation.Bisection;
import dev.conveyor.scheduler.isolation.Bisection.Part;
import dev.conveyor.scheduler.isolation.Bisection.Result;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.isolation.Decision;
import java.util.ArrayList;
import java.util.List;

/**
 * Runs the batches of one instance so that a request fails only for a reason of its own.
 *
 * <p>Thread-confined to the instance's thread. Usually a batch is one execution. One that fails is
 * run again in parts, here and at once, so that it keeps its place and its order: see {@link
 * Bisection}. Failures that no success followed may be the instance's: they are told to nobody
 * until it is clear whose they are. Requests that were cancelled, or whose deadline passes
 * meanwhile, are left out. Inputs that failed lately run alone, and while memory is short batches
 * run in smaller parts.
 */
final class BatchRunner {

  /** A failure that nobody was told yet. */
  private record Blame(InferenceRequest request, Result result, Throwable failure) {}

  /** A batch with several culprits may be searched this often; each search ends at one of them. */
  private static final int MOST_SEARCHES = 4;

  private final ServedModel served;
  private final Isolation isolation;
  private final BatchAnswers answers;
  private final Attempts attempts;
  private final List<Blame> blames = new ArrayList<>();

  /**
   * Creates a runner.
   *
   * @param diagnosis asked whose fault failures are that no success followed
   */
  BatchRunner(
      ServedModel served,
      ModelExecutor executor,
      Isolation isolation,
      Attempts.Diagnosis diagnosis) {
    this.served = served;
    this.isolation = isolation;
    this.answers = new BatchAnswers(served);
    this.attempts = new Attempts(served, executor, isolation, diagnosis, answers);
  }

  /**
   * Runs a batch and answers its requests.
   *
   * @return how it went; {@code succeeded} is false if any execution failed, since the time then
   *     says nothing about the cost of such a batch
   * @throws ExecutionException of kind INSTANCE_LOST: what was not answered is still the caller's
   */
  BatchOutcome run(Batch batch, long nowNs) {
    blames.clear();
    answers.begin(batch.turn());
    attempts.begin(batch, nowNs);
    List<InferenceRequest> live = withoutCulprits(stillWanted(batch.requests()), nowNs);
    try {
      int allowed = attempts.allowedItems(nowNs);
      boolean plain =
          isolation.suspects().isEmpty() && batch.items() <= allowed && noneRepeated(live);
      if (!live.isEmpty() && plain) {
        runTogether(live);
      } else if (!live.isEmpty()) {
        if (batch.items() > allowed) {
          decided(
              Decision.BATCH_HALVED,
              "memory_short",
              "a batch of %d runs in parts of %d".formatted(batch.items(), allowed));
        }
        runCarefully(live, allowed, nowNs);
      }
      if (attempts.isInstanceToBlame()) {
        throw lost();
      }
      settle();
    } finally {
      blames.clear();
      answers.end(batch.requests());
    }
    return attempts.outcome();
  }

  /** Tells those whose inputs cost too many instances lately; returns the others. */
  private List<InferenceRequest> withoutCulprits(List<InferenceRequest> requests, long nowNs) {
    if (isolation.suspects().isEmpty()) {
      return requests;
    }
    List<InferenceRequest> others = new ArrayList<>(requests.size());
    for (InferenceRequest request : requests) {
      InferenceException refusal = isolation.suspects().refusal(served.name(), request, nowNs);
      if (refusal == null) {
        others.add(request);
      } else {
        decided(
            Decision.REQUEST_BLAMED,
            "instance_lost",
            refusal.getMessage() + Failures.traced(request));
        answers.fail(request, refusal);
      }
    }
    return others;
  }

  /** The batch in progress was given up: nothing in it is answered any more. From any thread. */
  void cancel() {
    attempts.cancel();
  }

  boolean isCancelled() {
    return attempts.isCancelled();
  }

  /** It was the inputs, after all: tells those who wait for it. */
  private void settle() {
    for (Blame blame : blames) {
      long nowNs = System.nanoTime();
      if (blame.result() == Result.INPUT_FAILED && !Failures.isGone(blame.failure())) {
        isolation.suspects().add(blame.request(), nowNs);
        decided(
            Decision.REQUEST_BLAMED,
            Failures.reason(blame.failure()),
            Failures.describe(blame.failure()) + Failures.traced(blame.request()));
      }
      answers.fail(blame.request(), Failures.toClient(served, blame.failure()));
    }
    blames.clear();
  }

  private ExecutionException lost() {
    return new ExecutionException(
        Kind.INSTANCE_LOST, "its batches fail: " + Failures.describe(attempts.failure()));
  }

  private void runCarefully(List<InferenceRequest> live, int allowed, long nowNs) {
    answers.runInParts();
    List<InferenceRequest> group = new ArrayList<>(live.size());
    List<InferenceRequest> alone = new ArrayList<>();
    int items = 0;
    for (InferenceRequest request : live) {
      if (live.size() > 1
          && (request.isRepeated() || isolation.suspects().contains(request, nowNs))) {
        alone.add(request);
        continue;
      }
      if (!group.isEmpty() && items + request.batchSize() > allowed) {
        runTogether(group);
        answers.endPart();
        group = new ArrayList<>();
        items = 0;
      }
      group.add(request);
      items += request.batchSize();
    }
    if (!group.isEmpty()) {
      runTogether(group);
      answers.endPart();
    }
    for (InferenceRequest suspect : alone) {
      if (suspect.isRepeated() && attempts.isInstanceToBlame()) {
        throw lost(); // Before this one suffers from it again.
      }
      decided(
          Decision.SUSPECT_ISOLATED,
          isolation.suspects().hasFailed(suspect, nowNs) ? "failed_before" : "instance_lost",
          "runs alone" + Failures.traced(suspect));
      runTogether(List.of(suspect));
      answers.endPart(); // The next one may hang, and what is answered is not run elsewhere.
    }
  }

  private void runTogether(List<InferenceRequest> requests) {
    Result whole = attempts.execute(requests);
    if (whole == Result.SUCCEEDED) {
      return;
    }
    if (requests.size() == 1) {
      blame(requests.get(0), whole);
      return;
    }
    answers.runInParts();
    List<InferenceRequest> rest = requests;
    for (int i = 0; i < MOST_SEARCHES && !rest.isEmpty(); i++) {
      decided(
          whole == Result.RESOURCE_FAILED ? Decision.BATCH_HALVED : Decision.BATCH_SPLIT,
          Failures.reason(attempts.failure()),
          "a batch of %d requests: %s"
              .formatted(rest.size(), Failures.describe(attempts.failure())));
      int before = attempts.succeeded();
      rest = search(rest, whole);
      whole = Result.INPUT_FAILED;
      if (attempts.succeeded() == before) {
        break; // Nothing works: to go on would only take longer.
      }
    }
    runAlone(rest);
  }

  /**
   * Runs what the searches left undecided one by one: no more runs than if nobody had put them
   * together. If nothing worked so far, first finds out whether that is the instance's fault.
   */
  private void runAlone(List<InferenceRequest> undecided) {
    if (undecided.isEmpty()) {
      return;
    }
    if (attempts.isInstanceToBlame()) {
      throw lost();
    }
    decided(
        Decision.BATCH_SPLIT,
        "several_culprits",
        "%d requests run alone: %s"
            .formatted(undecided.size(), Failures.describe(attempts.failure())));
    for (InferenceRequest request : undecided) {
      for (InferenceRequest wanted : stillWanted(List.of(request))) {
        Result result = attempts.execute(List.of(wanted));
        if (result != Result.SUCCEEDED) {
          blame(wanted, result);
        }
      }
      answers.endPart();
    }
  }

  /** Runs a failed batch in parts; returns the requests that it could not decide about. */
  private List<InferenceRequest> search(List<InferenceRequest> requests, Result whole) {
    Bisection bisection = new Bisection(requests.size(), whole);
    for (Part part = bisection.next(); part != null; part = bisection.next()) {
      List<InferenceRequest> some = stillWanted(requests.subList(part.from(), part.to()));
      Result result = some.isEmpty() ? Result.SUCCEEDED : attempts.execute(some);
      if (result != Result.SUCCEEDED && part.size() == 1) {
        blame(some.get(0), result);
      }
      bisection.record(result);
      answers.endPart();
    }
    List<InferenceRequest> undecided = new ArrayList<>();
    for (Part part : bisection.undecided()) {
      undecided.addAll(requests.subList(part.from(), part.to()));
    }
    return stillWanted(undecided);
  }

  private static boolean noneRepeated(List<InferenceRequest> requests) {
    for (int i = 0; i < requests.size(); i++) {
      if (requests.get(i).isRepeated()) {
        return false;
      }
    }
    return true;
  }

  private void blame(InferenceRequest request, Result result) {
    blames.add(new Blame(request, result, attempts.failure()));
  }

  private void decided(Decision decision, String reason, String detail) {
    isolation.log().decided(served.name(), served.version(), decision, reason, detail);
  }

  /** Requests that were cancelled or expired on the way here are not worth computing. */
  private List<InferenceRequest> stillWanted(List<InferenceRequest> requests) {
    long nowNs = System.nanoTime();
    for (int i = 0; i < requests.size(); i++) {
      if (isOver(requests.get(i), nowNs)) {
        List<InferenceRequest> live = new ArrayList<>(requests);
        live.removeIf(request -> isOver(request, nowNs));
        return live;
      }
    }
    return requests;
  }

  private boolean isOver(InferenceRequest request, long nowNs) {
    if (request.replyTo().isDone()) {
      return true;
    }
    boolean late =
        request.deadlineNs() != InferenceRequest.NO_DEADLINE && request.deadlineNs() - nowNs <= 0;
    if (late) {
      answers.expire(request);
    }
    return late;
  }
}
