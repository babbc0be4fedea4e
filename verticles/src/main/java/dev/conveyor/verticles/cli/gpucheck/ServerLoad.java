package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.Lease;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.verticles.InferCall;
import dev.conveyor.verticles.InferenceGateway;
import dev.conveyor.verticles.LocalGateway;
import io.vertx.core.Context;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * So many requests of one item at a time, each followed by the next, to a server in this process:
 * behind its front ends, with inputs where front ends put those of large requests.
 *
 * <p>Thread-safe: its event loops count, the thread that measures reads.
 */
final class ServerLoad {

  private static final int CONTEXTS = 4;
  private static final int ENDING_SECONDS = 60;

  private final InferenceGateway gateway;
  private final String model;
  private final List<List<Tensor>> items;
  private final LongAdder answered = new LongAdder();
  private final CountDownLatch ended;
  private volatile boolean over;
  private volatile @Nullable InferenceException failure;

  private ServerLoad(InferenceGateway gateway, String model, List<List<Tensor>> items, int count) {
    this.gateway = gateway;
    this.model = model;
    this.items = items;
    this.ended = new CountDownLatch(count);
  }

  /**
   * Returns requests per second.
   *
   * @param inFlight requests at a time
   * @param seconds to warm up, and to measure
   * @throws InferenceException what a request failed with
   */
  static double perSecond(
      CheckServer server, String model, List<Item> items, int inFlight, double seconds)
      throws InterruptedException {
    List<List<Tensor>> inputs = new ArrayList<>();
    try {
      for (Item item : items) {
        inputs.add(leased(server.server().requestMemory(), item));
      }
      ServerLoad load =
          new ServerLoad(
              new LocalGateway(server.vertx(), server.server().catalog()), model, inputs, inFlight);
      return load.run(server, inFlight, (long) (seconds * 1e9));
    } finally {
      inputs.forEach(tensors -> tensors.forEach(Tensor::close));
    }
  }

  private static List<Tensor> leased(BufferPool memory, Item item) {
    List<Tensor> tensors = new ArrayList<>();
    for (Tensor input : item.inputs()) {
      Lease lease = memory.acquire(input.sizeBytes());
      lease.buffer().put(0, input.data(), 0, input.sizeBytes());
      tensors.add(
          Tensor.ofLease(input.name(), input.type(), input.shape(), lease, 0, input.sizeBytes()));
    }
    return tensors;
  }

  private double run(CheckServer server, int inFlight, long windowNs) throws InterruptedException {
    List<Context> contexts = new ArrayList<>();
    for (int i = 0; i < CONTEXTS; i++) {
      contexts.add(server.vertx().getOrCreateContext());
    }
    for (int i = 0; i < inFlight; i++) {
      int item = i % items.size();
      contexts.get(i % CONTEXTS).runOnContext(v -> ask(item));
    }
    TimeUnit.NANOSECONDS.sleep(windowNs);
    final long before = answered.sum();
    final long beginNs = System.nanoTime();
    TimeUnit.NANOSECONDS.sleep(windowNs);
    double perSecond = (answered.sum() - before) * 1e9 / (System.nanoTime() - beginNs);
    over = true;
    boolean all = ended.await(ENDING_SECONDS, TimeUnit.SECONDS);
    InferenceException why = failure;
    if (why != null) {
      throw why;
    }
    if (!all) {
      throw new IllegalStateException(ended.getCount() + " requests were never answered");
    }
    return perSecond;
  }

  private void ask(int item) {
    if (over) {
      ended.countDown();
      return;
    }
    List<Tensor> inputs = new ArrayList<>();
    for (Tensor input : items.get(item)) {
      inputs.add(Objects.requireNonNull(input.tryShare(), "the inputs are closed last"));
    }
    gateway.infer(
        new InferCall(model, "", inputs, 0, 0, InferenceRequest.NO_DEADLINE),
        (answer, why) -> onAnswer(item, answer, why));
  }

  private void onAnswer(
      int item, @Nullable InferenceResponse answer, @Nullable InferenceException why) {
    if (answer == null) {
      failure = why;
      over = true;
    } else {
      answer.close();
      answered.increment();
    }
    ask(item);
  }
}
