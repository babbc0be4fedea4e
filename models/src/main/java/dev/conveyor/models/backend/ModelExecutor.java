package dev.conveyor.models.backend;

import java.util.List;
import java.util.function.Consumer;

/**
 * Runs batches for one instance of a model. Thread-confined: created, used and closed by one
 * thread.
 */
public interface ModelExecutor extends AutoCloseable {

  /**
   * Runs one batch and blocks until it is done.
   *
   * @param requests the inputs of each request, in the model's order; the caller keeps them and
   *     must not close them before this returns
   * @return the outputs, split by request again
   * @throws ExecutionException if the run fails; nothing of the batch was answered
   */
  BatchResult execute(List<? extends BatchRequest> requests);

  /**
   * Says whether requests come alone, one after the other, so that cores are idle while the next
   * runs wait for something: then it pays to wait awake. Executors that wait for nothing ignore it.
   */
  default void stayAwake(boolean awake) {}

  /**
   * Says whether the next runs may take more threads than usual, because nothing else wants the
   * cores. Executors that have one way to run ignore it.
   */
  default void widen(boolean wide) {}

  /** Returns true if {@link #widen} makes a difference. */
  default boolean canWiden() {
    return false;
  }

  /**
   * Asks the run in progress to end soon, with a failure; there may be none. The executor is not
   * used for another run afterwards. Unlike everything else here, callable from any thread, at any
   * time, also after {@link #close}. Backends that cannot interrupt a run ignore it.
   */
  default void cancel() {}

  /**
   * Has {@code listener} told, once, on any thread, when what runs the batches is gone, idle or
   * not, also if it is gone already; it is told why. Also told after {@link #close}. Executors that
   * only go when they are closed need not tell.
   */
  default void whenLost(Consumer<String> listener) {}

  /**
   * Returns in one word how that was lost, such as {@code signalled}; empty if it is not. From any
   * thread.
   */
  default String lossCause() {
    return "";
  }

  /** Returns the process that runs the batches; 0 if that is this one. From any thread. */
  default long processId() {
    return 0;
  }

  @Override
  void close();
}
