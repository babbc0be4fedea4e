package dev.conveyor.scheduler;

import java.util.ArrayList;
import java.util.List;

/**
 * The place of a batch in the order in which the answers of its model leave. What is delivered
 * before its turn is held until then.
 *
 * <p>Thread-safe: the instance that ran the batch delivers, the scheduler says when the turn comes.
 * Deliveries only count answers and wake event loops, so one may be made while the lock is held,
 * which keeps them in order.
 */
public final class AnswerTurn {

  /** For models whose answers leave as they come. */
  public static final AnswerTurn ANY_TIME = new AnswerTurn();

  static {
    ANY_TIME.come();
  }

  private final List<Runnable> held = new ArrayList<>(1);
  private boolean hasCome;

  /**
   * Delivers answers that were decided, now or when the turn comes; in the order of these calls.
   *
   * @param answers runs on this thread or the scheduler's; must neither block nor throw
   */
  public synchronized void deliver(Runnable answers) {
    if (hasCome) {
      answers.run();
    } else {
      held.add(answers);
    }
  }

  /** Everything before this was answered. Called once or more. */
  synchronized void come() {
    hasCome = true;
    held.forEach(Runnable::run);
    held.clear();
  }
}
