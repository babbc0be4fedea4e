package dev.conveyor.scheduler.rollout;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.conveyor.models.config.Rollout;
import java.util.Locale;
import java.util.Optional;

/**
 * Decides which requests a candidate version gets, and takes it out of service for good when it
 * fails more often, answers otherwise or takes longer than the version beside it may be expected
 * to.
 *
 * <p>Thread-safe: requests come from several event loops; every call takes well under a
 * microsecond, but for one in {@value #JUDGE_EVERY} outcomes, which sorts a window. Reads no clock.
 *
 * <p>Shares are kept by a Weyl sequence (multiples of the golden ratio, modulo 1): exact in the
 * long run, and without a period that a client's could fall in step with.
 */
public final class RolloutGuard {

  static final int JUDGE_EVERY = 16;

  /** A judgment sorts the windows, so wide ones are judged less often. */
  private static final int JUDGMENTS_PER_WINDOW = 64;

  private static final int WINDOW = 1024;
  private static final double GOLDEN = 0.6180339887498949;
  private static final double SHADOW_OFFSET = 0.5;

  private final Rollout rollout;

  @GuardedBy("this")
  private final OutcomeWindow stable;

  @GuardedBy("this")
  private final OutcomeWindow candidate;

  @GuardedBy("this")
  private boolean active = true;

  @GuardedBy("this")
  private String reason = "";

  @GuardedBy("this")
  private long requests;

  @GuardedBy("this")
  private long stableRequests;

  @GuardedBy("this")
  private long canaryRequests;

  @GuardedBy("this")
  private long shadows;

  @GuardedBy("this")
  private long shadowsDropped;

  @GuardedBy("this")
  private int shadowsUnderWay;

  @GuardedBy("this")
  private long compared;

  @GuardedBy("this")
  private long agreed;

  @GuardedBy("this")
  private long outcomes;

  /** What a request is for. */
  public enum Route {
    /** The other version answers it. */
    STABLE,
    /** The other version answers it, and the candidate gets a copy. */
    SHADOWED,
    /** The candidate answers it. */
    CANARY,
    /** The candidate answers it, and the other version gets a copy, to compare. */
    CHECKED
  }

  private final int judgeEvery;

  public RolloutGuard(Rollout rollout) {
    this.rollout = rollout;
    int window = Math.max(WINDOW, rollout.minRequests());
    this.judgeEvery = Math.max(JUDGE_EVERY, window / JUDGMENTS_PER_WINDOW);
    this.stable = new OutcomeWindow(window);
    this.candidate = new OutcomeWindow(window);
  }

  public Rollout rollout() {
    return rollout;
  }

  /**
   * Says where a request goes that names no version. Every {@link Route#SHADOWED} and {@link
   * Route#CHECKED} one is followed by {@link #shadowEnded}, also if no copy was made.
   *
   * @param crowded whether requests wait for either version, or memory is short: copies are the
   *     first to go
   */
  public synchronized Route route(boolean crowded) {
    if (!active) {
      stableRequests++;
      return Route.STABLE;
    }
    requests++;
    double place = requests * GOLDEN % 1;
    if (place < rollout.canaryShare()) {
      canaryRequests++;
      if (rollout.minAgreement() <= 0 || crowded || shadowsUnderWay >= rollout.shadowLimit()) {
        return Route.CANARY;
      }
      shadowsUnderWay++;
      return Route.CHECKED;
    }
    stableRequests++;
    // Of the requests that are no canaries, by another place in the same sequence.
    if ((stableRequests * GOLDEN + SHADOW_OFFSET) % 1 >= rollout.shadowShare()) {
      return Route.STABLE;
    }
    if (crowded || shadowsUnderWay >= rollout.shadowLimit()) {
      shadowsDropped++;
      return Route.STABLE;
    }
    shadows++;
    shadowsUnderWay++;
    return Route.SHADOWED;
  }

  /** Takes note that a copy is done with, well or not. */
  public synchronized void shadowEnded() {
    shadowsUnderWay--;
  }

  /** Takes note that a copy is not sent after all, for want of memory. */
  public synchronized void shadowDropped() {
    shadowsDropped++;
    shadowsUnderWay--;
  }

  /** Takes note of an answer of the other version. */
  public synchronized void stableAnswered(long tookNs) {
    stable.answered(tookNs);
  }

  /** Takes note of a failure of the other version. */
  public synchronized void stableFailed() {
    stable.failed();
  }

  /** Takes note of an answer of the candidate; returns why it is taken out, if it is now. */
  public synchronized Optional<String> candidateAnswered(long tookNs) {
    candidate.answered(tookNs);
    return judgeSometimes();
  }

  /** Takes note of a failure of the candidate; returns why it is taken out, if it is now. */
  public synchronized Optional<String> candidateFailed() {
    candidate.failed();
    return judge();
  }

  /** Takes note of a comparison; returns why the candidate is taken out, if it is now. */
  public synchronized Optional<String> compared(boolean agrees) {
    compared++;
    agreed += agrees ? 1 : 0;
    return agrees ? Optional.empty() : judge();
  }

  /** Returns how it stands. */
  public synchronized RolloutState state() {
    return new RolloutState(
        rollout,
        active,
        reason,
        stableRequests,
        canaryRequests,
        shadows,
        shadowsDropped,
        shadowsUnderWay,
        compared,
        agreed,
        new RolloutState.Version(stable.size(), stable.errorRate(), stable.p99Ns()),
        new RolloutState.Version(candidate.size(), candidate.errorRate(), candidate.p99Ns()));
  }

  @GuardedBy("this")
  private Optional<String> judgeSometimes() {
    outcomes++;
    boolean due = outcomes % judgeEvery == 0 || outcomes == rollout.minRequests();
    return due ? judge() : Optional.empty();
  }

  @GuardedBy("this")
  private Optional<String> judge() {
    if (!active) {
      return Optional.empty();
    }
    reason = fault();
    if (reason.isEmpty()) {
      return Optional.empty();
    }
    active = false;
    return Optional.of(reason);
  }

  @GuardedBy("this")
  private String fault() {
    int least = rollout.minRequests();
    if (candidate.size() >= least
        && candidate.errorRate() > stable.errorRate() + rollout.maxErrorRate()) {
      return String.format(
          Locale.ROOT,
          "error rate %.4f, of the other version %.4f, max_error_rate %s more",
          candidate.errorRate(),
          stable.errorRate(),
          rollout.maxErrorRate());
    }
    if (compared >= least && agreed < rollout.minAgreement() * compared) {
      return String.format(
          Locale.ROOT,
          "agreement %.4f over %d answers, min_agreement %s",
          (double) agreed / compared,
          compared,
          rollout.minAgreement());
    }
    if (candidate.size() < least || stable.size() < least) {
      return "";
    }
    long here = candidate.p99Ns();
    long there = stable.p99Ns();
    return there > 0 && here > rollout.maxP99Ratio() * there
        ? String.format(
            Locale.ROOT,
            "p99 %.3f ms, of the other version %.3f ms, max_p99_ratio %s",
            here / 1e6,
            there / 1e6,
            rollout.maxP99Ratio())
        : "";
  }
}
