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
import dev.conveyor.scheduler.isolation.Bisection.Result;
import dev.conveyor.scheduler.isolation.RunClock;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.isolation.Decision;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The executions of one batch after the other: what each came to, what they took together, and
 * whether what failed may be the instance's fault.
 *
 * <p>Thread-confined to the instance's thread, but for {@link #cancel}.
 */
final class Attempts {

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

  private final ServedModel served;
  private final ModelExecutor executor;
  private final Isolation isolation;
  private final Diagnosis diagnosis;
  private final BatchAnswers answers;
  private final OutputCheck outputs;
  private final @Nullable FiniteCheck finite;
  private final BatchCap cap = new BatchCap();

  private volatile boolean cancelled;

  // Of the batch in progress.
  private RunClock clock = new RunClock(0);
  private long batchId;
  private long startNs;
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
   * Creates it without a batch.
   *
   * @param answers what succeeds is told to
   */
  Attempts(
      ServedModel served,
      ModelExecutor executor,
      Isolation isolation,
      Diagnosis diagnosis,
      BatchAnswers answers) {
    this.served = served;
    this.executor = executor;
    this.isolation = isolation;
    this.diagnosis = diagnosis;
    this.answers = answers;
    this.outputs = new OutputCheck(served.signature());
    this.finite = served.config().extensions().rejectNonFinite() ? new FiniteCheck() : null;
  }

  /** A batch begins, of which nothing ran yet. */
  void begin(Batch batch, long nowNs) {
    clock = batch.clock();
    batchId = batch.id();
    startNs = nowNs;
    succeeded = 0;
    anyFailed = false;
    unexplained = false;
    provedWell = false;
    failures = 0;
    copyInNs = 0;
    computeNs = 0;
    copyOutNs = 0;
    executor.stayAwake(batch.linger().isAllowed());
    executor.widen(batch.wide());
  }

  /** Returns how the batch went; its time says nothing about its cost if anything failed. */
  BatchOutcome outcome() {
    return new BatchOutcome(
        !anyFailed, succeeded, startNs, copyInNs, computeNs, copyOutNs, System.nanoTime());
  }

  /** What runs now is given up, and whatever it brings. From any thread. */
  void cancel() {
    cancelled = true;
  }

  boolean isCancelled() {
    return cancelled;
  }

  /** Returns the largest batch that there is memory for, in items. */
  int allowedItems(long nowNs) {
    return cap.items(nowNs);
  }

  /** Returns how many items of the batch succeeded. */
  int succeeded() {
    return succeeded;
  }

  /** Returns what the last execution that failed said. */
  Throwable failure() {
    return failure;
  }

  /**
   * Returns whether failures that no success followed are the instance's, and finds that out.
   *
   * @throws ExecutionException of kind INSTANCE_LOST if the batch was cancelled meanwhile
   */
  boolean isInstanceToBlame() {
    if (!unexplained) {
      return false;
    }
    clock.probe(System.nanoTime(), Warmups.probeItems(served));
    if (diagnosis.isSick(Failures.describe(failure), succeeded == 0)) {
      return true;
    }
    stopIfCancelled();
    provedWell = true;
    failures = 0;
    unexplained = false;
    return false;
  }

  /**
   * Runs requests as one batch, and answers them if that succeeds.
   *
   * @throws ExecutionException of kind INSTANCE_LOST, also if the batch was cancelled meanwhile
   */
  Result execute(List<InferenceRequest> requests) {
    final long beginNs = System.nanoTime();
    for (int i = 0; i < requests.size(); i++) {
      requests.get(i).triedIn(batchId);
    }
    // After that, so that who looks at the clock sees it.
    clock.start(beginNs, requests.size() == 1 ? requests.get(0) : null);
    try {
      BatchResult result = executor.execute(requests);
      try {
        stopIfCancelled();
        outputs.check(requests, result);
        if (requests.size() == 1) {
          isolation.suspects().onSuccess(requests.get(0), beginNs);
        }
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
        isolation
            .log()
            .decided(
                served.name(),
                served.version(),
                Decision.OUTPUT_REFUSED,
                "non_finite",
                problem + Failures.traced(request));
        answers.fail(request, Failures.toClient(served, new ExecutionException(Kind.RUN, problem)));
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
    return requests.size() == 1 && isolation.suspects().hasFailed(requests.get(0), nowNs);
  }
}
