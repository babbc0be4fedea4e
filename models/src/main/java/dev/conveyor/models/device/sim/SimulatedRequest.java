package dev.conveyor.models.device.sim;

import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.Lease;
import dev.conveyor.memory.cuda.sim.TestKernel;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.backend.BatchRequest;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.random.RandomGenerator;

/** A request whose answer is known. Not thread-safe. */
public final class SimulatedRequest implements BatchRequest, AutoCloseable {

  private final SimulatedModel model;
  private final int batchSize;
  private final int[] words;
  private final List<Tensor> inputs;
  private boolean stays;

  private SimulatedRequest(SimulatedModel model, int batchSize, int[] words, Tensor input) {
    this.model = model;
    this.batchSize = batchSize;
    this.words = words;
    this.inputs = List.of(input);
  }

  /** Returns a request with random data in memory that {@code pool} lends. */
  public static SimulatedRequest leased(
      SimulatedModel model, int batchSize, BufferPool pool, RandomGenerator random) {
    int[] words = random.ints((long) batchSize * model.inWords()).toArray();
    Lease lease = pool.acquire((long) words.length * Integer.BYTES);
    fill(lease.buffer(), words);
    Shape shape = Shape.of(batchSize, model.inWords());
    int bytes = words.length * Integer.BYTES;
    Tensor input = Tensor.ofLease("in", DataType.INT32, shape, lease, 0, bytes);
    return new SimulatedRequest(model, batchSize, words, input);
  }

  /** Returns a request with random data on the heap. */
  public static SimulatedRequest onHeap(
      SimulatedModel model, int batchSize, RandomGenerator random) {
    int[] words = random.ints((long) batchSize * model.inWords()).toArray();
    ByteBuffer bytes = ByteBuffer.allocate(words.length * Integer.BYTES);
    fill(bytes.order(ByteOrder.LITTLE_ENDIAN), words);
    Shape shape = Shape.of(batchSize, model.inWords());
    return new SimulatedRequest(
        model, batchSize, words, Tensor.of("in", DataType.INT32, shape, bytes));
  }

  /**
   * Returns a request with the outputs of another one.
   *
   * @param words what they should be
   * @param input taken over
   */
  public static SimulatedRequest of(
      SimulatedModel model, int batchSize, int[] words, Tensor input) {
    return new SimulatedRequest(model, batchSize, words.clone(), input.renamed("in"));
  }

  /** Lets its outputs stay on the device. */
  public SimulatedRequest staying() {
    stays = true;
    return this;
  }

  private static void fill(ByteBuffer bytes, int[] words) {
    for (int i = 0; i < words.length; i++) {
      bytes.putInt(i * Integer.BYTES, words[i]);
    }
  }

  @Override
  public int batchSize() {
    return batchSize;
  }

  @Override
  public List<Tensor> inputs() {
    return inputs;
  }

  @Override
  public boolean mayStay(String device, String output) {
    return stays;
  }

  /** Returns what its outputs should be. */
  public int[] expected() {
    int[] out = new int[batchSize * model.outWords()];
    for (int item = 0; item < batchSize; item++) {
      int[] in = Arrays.copyOfRange(words, item * model.inWords(), (item + 1) * model.inWords());
      System.arraycopy(
          TestKernel.expected(in, model.outWords()),
          0,
          out,
          item * model.outWords(),
          model.outWords());
    }
    return out;
  }

  /** Returns whether these are the outputs of this request and of nothing else. */
  public boolean isAnsweredBy(List<Tensor> outputs) {
    ByteBuffer data = outputs.get(0).data();
    int at = 0;
    for (int word : expected()) {
      if (data.getInt(at) != word) {
        return false;
      }
      at += Integer.BYTES;
    }
    return at == data.limit();
  }

  @Override
  public void close() {
    inputs.get(0).close();
  }
}
