package dev.conveyor.verticles.rollout;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.HeapShare;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.scheduler.rollout.RolloutGuard;
import dev.conveyor.verticles.InferCall;
import dev.conveyor.verticles.InferenceGateway;
import dev.conveyor.verticles.ModelCatalog;
import dev.conveyor.verticles.ServedModel;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Sends requests that name no version to the version that serves them and to the one that is tried.
 *
 * <p>A copy is sent after the client has its answer, shares the memory of the request, and its
 * answer goes nowhere: what it costs the client is what other requests cost. Of what the candidate
 * answers, the version that serves gets a copy in the same way, so that canaries are judged by
 * agreement too.
 *
 * <p>What copies hold counts as memory of requests, of which they leave half to clients: above
 * that, none is made.
 *
 * <p>Thread-safe: no state of its own.
 */
public final class TrialTraffic {

  /** Nobody waits for a copy; what takes longer than this is hung. */
  private static final long SHADOW_PATIENCE_NS = TimeUnit.SECONDS.toNanos(10);

  /** Names no version, so the one that serves. */
  private static final String STABLE = "";

  private final ModelCatalog catalog;
  private final InferenceGateway versions;
  private final BufferPool memory;
  private final Listener listener;

  /** Told when a candidate is taken out of service. */
  @FunctionalInterface
  public interface Listener {

    /** Nobody listens. */
    Listener NONE = (model, version, reason) -> {};

    /** Called once per rollout, on any thread. */
    void onRolledBack(String model, String version, String reason);
  }

  /**
   * Creates the traffic.
   *
   * @param versions where calls go, with the version in them or without one for the version that
   *     serves
   * @param memory of all requests under way
   */
  public TrialTraffic(
      ModelCatalog catalog, InferenceGateway versions, BufferPool memory, Listener listener) {
    this.catalog = catalog;
    this.versions = versions;
    this.memory = memory;
    this.listener = listener;
  }

  /** Sends a call that names no version. */
  public ReplyTo infer(RolloutGuard guard, InferCall call, ReplyTo.Handler handler) {
    long arrivalNs = System.nanoTime();
    return switch (guard.route(!memory.hasSpare() || isWaiting(call.model(), guard))) {
      case STABLE -> versions.infer(call, stable(guard, arrivalNs, handler));
      case CANARY -> canary(guard, call, arrivalNs, false, handler);
      case CHECKED -> canary(guard, call, arrivalNs, true, handler);
      case SHADOWED -> shadowed(guard, call, arrivalNs, handler);
    };
  }

  private static ReplyTo.Handler stable(
      RolloutGuard guard, long arrivalNs, ReplyTo.Handler handler) {
    return (response, failure) -> {
      if (failure == null) {
        guard.stableAnswered(System.nanoTime() - arrivalNs);
      } else if (isFault(failure)) {
        guard.stableFailed();
      }
      handler.handle(response, failure);
    };
  }

  private ReplyTo canary(
      RolloutGuard guard,
      InferCall call,
      long arrivalNs,
      boolean checked,
      ReplyTo.Handler handler) {
    // It may be about to come, or gone already, while the other version serves.
    if (!isThere(call.model(), guard)) {
      if (checked) {
        guard.shadowEnded();
      }
      return versions.infer(call, stable(guard, arrivalNs, handler));
    }
    List<Tensor> copies = checked ? share(call.inputs()) : null;
    return versions.infer(
        to(
            candidate(guard),
            call,
            call.inputs(),
            call.priority(),
            call.timeoutMicros(),
            call.deadlineNs(),
            call.arrival()),
        (response, failure) -> {
          List<Tensor> found = checked && response != null ? share(response.outputs()) : null;
          tell(call.model(), guard, judged(guard, failure, System.nanoTime() - arrivalNs));
          handler.handle(response, failure);
          if (copies != null && found != null) {
            check(guard, call, copies, found);
          } else if (checked) {
            close(copies);
            close(found);
            guard.shadowEnded();
          }
        });
  }

  /** Has the other version answer what the candidate answered. */
  private void check(RolloutGuard guard, InferCall call, List<Tensor> copies, List<Tensor> found) {
    HeapShare held = hold(guard, copies, found);
    if (held == null) {
      return;
    }
    ReplyTo unused =
        versions.infer(
            to(
                STABLE,
                call,
                copies,
                lowest(call, STABLE),
                0,
                System.nanoTime() + SHADOW_PATIENCE_NS,
                null),
            (response, failure) -> {
              Optional<String> verdict = Optional.empty();
              if (response != null) {
                boolean agrees =
                    OutputComparison.agree(response.outputs(), found, guard.rollout().tolerance());
                response.close();
                verdict = guard.compared(agrees);
              }
              close(found);
              held.close();
              guard.shadowEnded();
              tell(call.model(), guard, verdict);
            });
  }

  private ReplyTo shadowed(
      RolloutGuard guard, InferCall call, long arrivalNs, ReplyTo.Handler handler) {
    List<Tensor> copies = share(call.inputs());
    ReplyTo.Handler counted = stable(guard, arrivalNs, handler);
    return versions.infer(
        call,
        (response, failure) -> {
          List<Tensor> expected = response == null ? null : share(response.outputs());
          counted.handle(response, failure);
          if (copies != null && expected != null) {
            shadow(guard, call, copies, expected);
          } else {
            close(copies);
            close(expected);
            guard.shadowEnded();
          }
        });
  }

  /** Runs on the context of the request that was copied. */
  private void shadow(
      RolloutGuard guard, InferCall call, List<Tensor> copies, List<Tensor> expected) {
    HeapShare held = hold(guard, copies, expected);
    if (held == null) {
      return;
    }
    long startNs = System.nanoTime();
    ReplyTo unused =
        versions.infer(
            to(
                candidate(guard),
                call,
                copies,
                lowest(call, candidate(guard)),
                0,
                startNs + SHADOW_PATIENCE_NS,
                null),
            (response, failure) -> {
              Optional<String> verdict = judged(guard, failure, System.nanoTime() - startNs);
              if (response != null) {
                boolean agrees =
                    OutputComparison.agree(
                        expected, response.outputs(), guard.rollout().tolerance());
                response.close();
                verdict = verdict.or(() -> guard.compared(agrees));
              }
              close(expected);
              held.close();
              guard.shadowEnded();
              tell(call.model(), guard, verdict);
            });
  }

  /**
   * Counts what a copy keeps from being given back, which its client's request no longer does; null
   * if that is too much, and then the copy is gone. What is lent counts already.
   */
  private @Nullable HeapShare hold(RolloutGuard guard, List<Tensor> copies, List<Tensor> answers) {
    long bytes =
        Stream.concat(copies.stream(), answers.stream())
            .filter(tensor -> !tensor.isLeased())
            .mapToLong(Tensor::sizeBytes)
            .sum();
    HeapShare share = memory.tryTakeSpare(bytes);
    if (share == null) {
      close(copies);
      close(answers);
      guard.shadowDropped();
    }
    return share;
  }

  private static Optional<String> judged(
      RolloutGuard guard, @Nullable InferenceException failure, long tookNs) {
    if (failure == null) {
      return guard.candidateAnswered(tookNs);
    }
    return isFault(failure) ? guard.candidateFailed() : Optional.empty();
  }

  private void tell(String model, RolloutGuard guard, Optional<String> verdict) {
    verdict.ifPresent(reason -> listener.onRolledBack(model, candidate(guard), reason));
  }

  /** What clients do wrong and what there is no room for says nothing about a version. */
  private static boolean isFault(InferenceException failure) {
    return switch (failure.code()) {
      case EXECUTION_FAILED, OUT_OF_MEMORY, UNAVAILABLE, NOT_FOUND, DEADLINE_EXCEEDED -> true;
      case INVALID_REQUEST,
          TOO_LARGE,
          QUEUE_FULL,
          CANCELLED,
          UNSUPPORTED,
          SHUTTING_DOWN,
          OVERLOADED,
          OVER_QUOTA,
          BODY_TIMEOUT,
          ALREADY_EXISTS ->
          false;
    };
  }

  private boolean isThere(String model, RolloutGuard guard) {
    try {
      ServedModel unused = catalog.find(model, candidate(guard));
      return true;
    } catch (InferenceException e) {
      return false;
    }
  }

  private boolean isWaiting(String model, RolloutGuard guard) {
    try {
      return waiting(catalog.find(model, "")) || waiting(catalog.find(model, candidate(guard)));
    } catch (InferenceException e) {
      return true; // the versions are being replaced
    }
  }

  private static boolean waiting(ServedModel model) {
    return model.door().load().get().queuedRequests() > 0;
  }

  /** Returns the lowest priority that a version knows; 0 if it knows none. */
  private int lowest(InferCall call, String version) {
    try {
      return catalog
          .find(call.model(), version)
          .config()
          .dynamicBatching()
          .map(batching -> batching.priorityLevels())
          .orElse(0);
    } catch (InferenceException e) {
      return 0;
    }
  }

  private static String candidate(RolloutGuard guard) {
    return Long.toString(guard.rollout().candidate());
  }

  /** For copies 0 is the timeout: nobody waits for them, and they go last. */
  private static InferCall to(
      String version,
      InferCall call,
      List<Tensor> inputs,
      int priority,
      long timeoutMicros,
      long deadlineNs,
      @Nullable Consumer<List<Tensor>> arrival) {
    return new InferCall(
        call.model(),
        version,
        inputs,
        priority,
        timeoutMicros,
        deadlineNs,
        call.tenant(),
        call.trace(),
        arrival);
  }

  /** Returns the tensors for another owner; null if one is closed already. */
  private static @Nullable List<Tensor> share(List<Tensor> tensors) {
    List<Tensor> shares = new ArrayList<>(tensors.size());
    for (Tensor tensor : tensors) {
      Tensor share = tensor.tryShare();
      if (share == null) {
        close(shares);
        return null;
      }
      shares.add(share);
    }
    return shares;
  }

  private static void close(@Nullable List<Tensor> tensors) {
    if (tensors != null) {
      tensors.forEach(Tensor::close);
    }
  }
}
