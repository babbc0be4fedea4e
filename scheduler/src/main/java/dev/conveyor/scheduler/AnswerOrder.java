package dev.conveyor.scheduler;

import java.util.ArrayDeque;
import java.util.List;

/**
 * The order in which the answers of one model leave that preserves ordering: that in which its
 * batches were cut, as in Triton's dynamic batcher, however many run at once and whichever ends
 * first.
 *
 * <p>Not thread-safe: owned by the {@link Scheduler}. A batch holds its place until it ends or its
 * instance is lost, so one that hangs holds the others up no longer than it may run. The answers
 * that are held meanwhile are decided, so a request that is cancelled or late holds up nobody, and
 * they are bounded: no batch is cut while {@link #isFull}.
 *
 * <p>Invariant: the turn of the first batch in {@link #cut} has come or is about to.
 */
final class AnswerOrder {

  /** Batches that are not answered in full, per instance: one that runs, and one that waits. */
  private static final int BATCHES_PER_INSTANCE = 2;

  private static final class Place {
    private final AnswerTurn turn = new AnswerTurn();
    private boolean isOver;
  }

  private final ArrayDeque<Place> cut = new ArrayDeque<>();

  /** Where turns are put that have come, until somebody tells them so. */
  private final List<AnswerTurn> due;

  AnswerOrder(List<AnswerTurn> due) {
    this.due = due;
  }

  /** Gives a batch that was just cut the last place. */
  Batch place(Batch batch) {
    Place last = new Place();
    cut.addLast(last);
    if (cut.size() == 1) {
      due.add(last.turn);
    }
    return batch.in(last.turn);
  }

  /** Takes note that a batch was answered as far as it will be; any batch, known or not. */
  void ended(Batch batch) {
    for (Place place : cut) {
      if (place.turn == batch.turn()) {
        place.isOver = true;
        break;
      }
    }
    while (!cut.isEmpty() && cut.element().isOver) {
      cut.remove();
      if (!cut.isEmpty()) {
        due.add(cut.element().turn);
      }
    }
  }

  /** Returns true while so many answers are held, or about to be, that no more are to be made. */
  boolean isFull(int instances) {
    return cut.size() >= BATCHES_PER_INSTANCE * instances;
  }

  /** Lets all answers leave as they come: nobody can wait for those before them. */
  void giveUp() {
    for (Place place : cut) {
      due.add(place.turn);
    }
    cut.clear();
  }
}
