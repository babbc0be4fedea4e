package dev.conveyor.verticles.cli.demo;

import dev.conveyor.verticles.bench.load.InferPayload;
import io.vertx.core.Future;
import io.vertx.core.buffer.Buffer;

/** A client of the server that the demo started, over one protocol. Thread-safe. */
interface InferClient {

  /** Returns the protocol, for people. */
  String protocol();

  /**
   * Asks one model for one output.
   *
   * @return the elements of that output, little-endian; fails with what the server said
   */
  Future<Buffer> infer(InferPayload payload);

  Future<Void> close();
}
