package dev.conveyor.verticles.grpc;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.Lease;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.verticles.InferCall;
import dev.conveyor.verticles.InferenceGateway;
import dev.conveyor.verticles.ModelCatalog;
import dev.conveyor.verticles.ServedModel;
import io.vertx.core.Vertx;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The identity function behind the gateway's contract: INPUT{n} comes back as OUTPUT{n}, copied
 * into pooled memory so that a lost response shows. Thread-safe.
 */
final class FakeGateway implements InferenceGateway {

  /** A call that waits for {@link #answer}. */
  record Held(InferCall call, ReplyTo replyTo) {}

  private final BufferPool pool = new BufferPool(BlockAllocator.host(), 1L << 30);
  private final BlockingQueue<Held> held = new LinkedBlockingQueue<>();
  private final BlockingQueue<String> givenUp = new LinkedBlockingQueue<>();
  private final Vertx vertx;
  private final ModelCatalog catalog;

  private volatile boolean holding;
  private volatile @Nullable InferenceException failure;
  private volatile @Nullable InferCall lastCall;

  FakeGateway(Vertx vertx, ModelCatalog catalog) {
    this.vertx = vertx;
    this.catalog = catalog;
  }

  @Override
  public ReplyTo infer(InferCall call, ReplyTo.Handler handler) {
    lastCall = call;
    ReplyTo replyTo = new ReplyTo(vertx.getOrCreateContext(), handler);
    InferenceException refusal = failure;
    if (refusal != null) {
      replyTo.fail(refusal);
    } else if (holding) {
      held.add(new Held(call, replyTo));
    } else {
      answer(new Held(call, replyTo));
    }
    return replyTo;
  }

  void hold() {
    holding = true;
  }

  void failWith(InferenceException refusal) {
    failure = refusal;
  }

  @Override
  public void onGivenUp(String model) {
    givenUp.add(model);
  }

  Held nextHeld() {
    return next(held, "no call arrived");
  }

  /** Returns the model of the next call that is given up. */
  String nextGivenUp() {
    return next(givenUp, "no call was given up");
  }

  private static <T> T next(BlockingQueue<T> queue, String otherwise) {
    try {
      T next = queue.poll(60, TimeUnit.SECONDS);
      if (next == null) {
        throw new AssertionError(otherwise);
      }
      return next;
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  int heldCount() {
    return held.size();
  }

  InferCall lastCall() {
    InferCall call = lastCall;
    if (call == null) {
      throw new AssertionError("no call arrived");
    }
    return call;
  }

  /** Returns false if the call was already answered. */
  boolean answer(Held waiting) {
    InferCall call = waiting.call();
    ServedModel served;
    try {
      served = catalog.find(call.model(), call.version());
    } catch (InferenceException unknown) {
      return waiting.replyTo().fail(unknown);
    }
    List<Tensor> outputs = new ArrayList<>();
    for (Tensor input : call.inputs()) {
      Lease lease = pool.acquire(Math.max(1, input.sizeBytes()));
      lease.buffer().put(0, input.data(), 0, input.sizeBytes());
      outputs.add(
          Tensor.ofLease(
              input.name().replace("INPUT", "OUTPUT"),
              input.type(),
              input.shape(),
              lease,
              0,
              input.sizeBytes()));
    }
    InferenceResponse response = new InferenceResponse(served.name(), served.version(), outputs);
    call.inputs().forEach(Tensor::close);
    boolean taken = waiting.replyTo().succeed(response);
    if (!taken) {
      response.close();
    }
    return taken;
  }

  long leasedBytes() {
    return pool.leasedBytes();
  }
}
