package dev.conveyor.models.onnx;

import org.bytedeco.onnxruntime.RunOptions;

/** Memory of one batch bound to a session. Thread-confined: it belongs to one engine. */
interface BoundRun extends AutoCloseable {

  /** Enqueues a run on the session's stream. */
  void run(RunOptions options);

  /** Gives back what binding took. Nothing that it enqueued still runs. */
  @Override
  void close();
}
