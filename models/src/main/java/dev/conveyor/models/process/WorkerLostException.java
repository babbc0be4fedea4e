package dev.conveyor.models.process;

/** The worker process is gone; this one will not come back. */
public final class WorkerLostException extends Exception {

  private static final long serialVersionUID = 1;

  private final transient Loss loss;

  WorkerLostException(Loss loss) {
    super(loss.detail());
    this.loss = loss;
  }

  Loss loss() {
    return loss;
  }
}
