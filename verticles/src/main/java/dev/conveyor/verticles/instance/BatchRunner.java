package dev.conveyor.verticles.instance;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchResult;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.backend.ExecutionException.Kind;
import dev.conveyor.models.backend.ModelExecutor;
import dev.conveyor.models.backend.Slices;
import dev.conveyor.scheduler.Batch;
import dev.conveyor.scheduler.BatchOutcome;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.isolation.BatchCap;
import dev.conveyor.scheduler.isolation.Bisection;
import dev.conveyor.scheduler.isolation.Bisection.Part;
import dev.conveyor.scheduler.isolation.Bisection.Result;
import dev.conveyor.scheduler.isolation.RunClock;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.isolation.Decision;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

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

  /** Finds out whether an instance is to blame for what fails on it. */
  interface Diagnosis {

    /**
     * Returns whether the instance is sick.
     *
     * @param failure what the last failed execution said
     * @param nothingWorked whether no request of the batch succeeded
     */
    boolean isSick(String failure, boolean nothingWorked);
  }

  /** A failure that nobody was told yet. */
  private record Blame(InferenceRequest request, Result result, Throwable failure) {}

  /** A batch with several culprits may be searched this often; each search ends at one of them. */
  private static final int MOST_SEARCHES = 4;

  private final ServedModel served;
  private final ModelExecutor executor;
  private final Isolation isolation;
  private final Diagnosis diagnosis;
  private final OutputCheck outputs;
  private final @Nullable FiniteCheck finite;
  private final BatchAnswers answers;
  private final BatchCap cap = new BatchCap();

  private volatile boolean cancelled;

  // Of the batch in progress.
  private RunClock clock = new RunClock(0);
  private long batchId;
  private long startNs;
  private final List<Blame> blames = new ArrayList<>();
  private int succeeded;
  private boolean anyFailed;

  /** The last failure may be the instance's; until it is clear, nobody is told. */
  private boolean unexplained;

  /** An execution succeeded after one had failed. */
  private boolean provedWell;

  /**
   * Executions that failed since the last that succeeded. A search for one culprit ends with one at
   * most, its own; more are several culprits, or an instance that fell sick meanwhile.
   */
  private int failures;

  private long copyInNs;
  private long computeNs;
  private long copyOutNs;
  private Throwable failure = new IllegalStateException("nothing failed");

  /**
   * Creates a runner.
   *
   * @param diagnosis asked whose fault failures are that no success followed
   */
  BatchRunner(
      ServedModel served, ModelExecutor executor, Isolation isolation, Diagnosis diagnosis) {
    this.served = served;
    this.diagnosis = diagnosis;
    this.executor = executor;
    this.isolation = isolation;
    this.outputs = new OutputCheck(served.signature());
    this.finite = served.config().extensions().rejectNonFinite() ? new FiniteCheck() : null;
    this.answers = new BatchAnswers(served);
  }

  /**
   * Runs a batch and answers its requests.
   *
   * @return how it went; {@code succeeded} is false if any execution failed, since the time then
   *     says nothing about the cost of such a batch
   * @throws ExecutionException of kind INSTANCE_LOST: what was not answered is still the caller's
   */
  BatchOutcome run(Batch batch, long nowNs) {
    begin(batch, nowNs);
    List<InferenceRequest> live = stillWanted(batch.requests());
    executor.stayAwake(batch.linger().isAllowed());
    try {
      int allowed = cap.items(nowNs);
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
      if (isInstanceToBlame()) {
        throw lost();
      }
      settle();
    } finally {
      blames.clear();
      answers.end(batch.requests());
    }
    return new BatchOutcome(
        !anyFailed, succeeded, startNs, copyInNs, computeNs, copyOutNs, System.nanoTime());
  }

  /** The batch in progress was given up: nothing in it is answered any more. From any thread. */
  void cancel() {
    cancelled = true;
  }

  boolean isCancelled() {
    return cancelled;
  }

  /** It was the inputs, after all: tells those who wait for it. */
  private void settle() {
    for (Blame blame : blames) {
      long nowNs = System.nanoTime();
      if (blame.result() == Result.INPUT_FAILED && !isGone(blame.failure())) {
        isolation.suspects().add(blame.request(), nowNs);
        decided(
            Decision.REQUEST_BLAMED,
            reason(blame.failure()),
            describe(blame.failure()) + traced(blame.request()));
      }
      answers.fail(blame.request(), failed(blame.failure()), nowNs);
    }
    blames.clear();
  }

  private boolean isInstanceToBlame() {
    if (!unexplained || diagnosis.isSick(describe(failure), succeeded == 0)) {
      return unexplained;
    }
    provedWell = true;
    failures = 0;
    unexplained = false;
    return false;
  }

  private ExecutionException lost() {
    return new ExecutionException(Kind.INSTANCE_LOST, "its batches fail: " + describe(failure));
  }

  private void begin(Batch batch, long nowNs) {
    answers.begin(batch.turn());
    clock = batch.clock();
    batchId = batch.id();
    startNs = nowNs;
    succeeded = 0;
    anyFailed = false;
    unexplained = false;
    provedWell = false;
    failures = 0;
    blames.clear();
    copyInNs = 0;
    computeNs = 0;
    copyOutNs = 0;
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
      if (suspect.isRepeated() && isInstanceToBlame()) {
        throw lost(); // Before this one suffers from it again.
      }
      decided(
          Decision.SUSPECT_ISOLATED,
          suspect.isRepeated() ? "instance_lost" : "failed_before",
          "runs alone" + traced(suspect));
      runTogether(List.of(suspect));
      answers.endPart(); // The next one may hang, and what is answered is not run elsewhere.
    }
  }

  private void runTogether(List<InferenceRequest> requests) {
    Result whole = execute(requests);
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
          reason(failure),
          "a batch of %d requests: %s".formatted(rest.size(), describe(failure)));
      int before = succeeded;
      rest = search(rest, whole);
      whole = Result.INPUT_FAILED;
      if (succeeded == before) {
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
    if (isInstanceToBlame()) {
      throw lost();
    }
    decided(
        Decision.BATCH_SPLIT,
        "several_culprits",
        "%d requests run alone: %s".formatted(undecided.size(), describe(failure)));
    for (InferenceRequest request : undecided) {
      for (InferenceRequest wanted : stillWanted(List.of(request))) {
        Result result = execute(List.of(wanted));
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
      Result result = some.isEmpty() ? Result.SUCCEEDED : execute(some);
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

  private Result execute(List<InferenceRequest> requests) {
    final long beginNs = System.nanoTime();
    for (int i = 0; i < requests.size(); i++) {
      requests.get(i).triedIn(batchId);
    }
    clock.start(beginNs); // After that, so that who looks at the clock sees it.
    try {
      BatchResult result = executor.execute(requests);
      try {
        stopIfCancelled();
        outputs.check(requests, result);
      } catch (RuntimeException e) {
        result.discard();
        throw e;
      }
      scatter(requests, result);
      return Result.SUCCEEDED;
    } catch (ExecutionException e) {
      stopIfCancelled();
      anyFailed = true;
      failure = e;
      if (e.kind() == Kind.INSTANCE_LOST) {
        throw e;
      }
      if (e.kind() == Kind.OUT_OF_MEMORY) {
        cap.onOutOfMemory(Slices.items(requests), System.nanoTime());
        return Result.RESOURCE_FAILED;
      }
    } catch (InferenceException e) {
      stopIfCancelled();
      anyFailed = true;
      failure = e;
      if (e.code() == ErrorCode.OUT_OF_MEMORY) {
        cap.onOutOfMemory(Slices.items(requests), System.nanoTime());
        return Result.RESOURCE_FAILED;
      }
      if (e.code() == ErrorCode.UNAVAILABLE || e.code() == ErrorCode.INVALID_REQUEST) {
        computeNs += System.nanoTime() - beginNs;
        return Result.INPUT_FAILED; // An input said so: nothing to ask the instance about.
      }
    } catch (OutOfMemoryError e) {
      stopIfCancelled();
      anyFailed = true;
      failure = e;
      cap.onOutOfMemory(Slices.items(requests), System.nanoTime());
      return Result.RESOURCE_FAILED;
    } catch (Throwable e) {
      // An Error (a linkage problem, a deep recursion) must not silence the instance either.
      stopIfCancelled();
      anyFailed = true;
      failure = e;
    }
    if (!isKnownToFail(requests, beginNs)) {
      failures++;
      unexplained = !provedWell || failures > 1;
    }
    computeNs += System.nanoTime() - beginNs;
    return Result.INPUT_FAILED;
  }

  /** What a run gives that was given up does not count: its requests may run elsewhere by now. */
  private void stopIfCancelled() {
    if (cancelled) {
      throw new ExecutionException(Kind.INSTANCE_LOST, "the execution was cut");
    }
  }

  private void scatter(List<InferenceRequest> requests, BatchResult result) {
    final long endNs = System.nanoTime();
    int items = 0;
    for (int i = 0; i < requests.size(); i++) {
      InferenceRequest request = requests.get(i);
      items += request.batchSize();
      String problem = finite == null ? null : finite.problem(result.outputs().get(i));
      if (problem == null) {
        answers.succeed(request, result.outputs().get(i), startNs, endNs);
      } else {
        result.outputs().get(i).forEach(Tensor::close);
        decided(Decision.OUTPUT_REFUSED, "non_finite", problem + traced(request));
        answers.fail(request, failed(new ExecutionException(Kind.RUN, problem)), endNs);
      }
    }
    succeeded += items;
    provedWell = anyFailed;
    failures = 0;
    unexplained = false;
    copyInNs += result.copyInNs();
    computeNs += result.computeNs();
    copyOutNs += result.copyOutNs();
    served
        .stats()
        .onBatch(requests.size(), items, result.copyInNs(), result.computeNs(), result.copyOutNs());
  }

  private boolean isKnownToFail(List<InferenceRequest> requests, long nowNs) {
    return requests.size() == 1 && isolation.suspects().contains(requests.get(0), nowNs);
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
    blames.add(new Blame(request, result, failure));
  }

  private void decided(Decision decision, String reason, String detail) {
    isolation.log().decided(served.name(), served.version(), decision, reason, detail);
  }

  private static String reason(Throwable failure) {
    return isOutOfMemory(failure) ? "out_of_memory" : "execution_failed";
  }

  private InferenceException failed(Throwable cause) {
    return new InferenceException(
        cause instanceof InferenceException said
            ? said.code()
            : isOutOfMemory(cause) ? ErrorCode.OUT_OF_MEMORY : ErrorCode.EXECUTION_FAILED,
        "model '%s', version %s: %s".formatted(served.name(), served.version(), describe(cause)));
  }

  private static boolean isOutOfMemory(Throwable cause) {
    return cause instanceof OutOfMemoryError
        || (cause instanceof ExecutionException e && e.kind() == Kind.OUT_OF_MEMORY)
        || (cause instanceof InferenceException said && said.code() == ErrorCode.OUT_OF_MEMORY);
  }

  /** Returns whether an input could not be had: the same bytes may be all right the next time. */
  private static boolean isGone(Throwable cause) {
    return cause instanceof InferenceException said && said.code() == ErrorCode.UNAVAILABLE;
  }

  private static String traced(InferenceRequest request) {
    return request.trace().isEmpty() ? "" : ", traceparent " + request.trace();
  }

  private static String describe(Throwable cause) {
    String message = cause.getMessage();
    return message == null ? cause.toString() : message;
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
      answers.expire(request, nowNs);
    }
    return late;
  }
}
