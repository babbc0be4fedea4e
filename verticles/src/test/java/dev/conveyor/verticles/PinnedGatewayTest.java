package dev.conveyor.verticles;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.memory.BlockAllocator;
import dev.conveyor.memory.BufferPool;
import dev.conveyor.memory.Lease;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Vertx;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class PinnedGatewayTest {

  private static final int LARGE = PinnedGateway.LEAST_BYTES;

  private final Vertx vertx = Vertx.vertx();
  private final BufferPool pool = new BufferPool(BlockAllocator.host(), 16L * LARGE);
  private final Inner inner = new Inner();
  private final PinnedGateway gateway = new PinnedGateway(inner, pool, "CPU");

  @AfterEach
  void close() {
    TestServer.await(vertx.close());
  }

  /** Takes note of the last call; {@code cpuModel} alone runs on the CPU. */
  private final class Inner implements InferenceGateway {
    List<Tensor> received = List.of();

    @Override
    public ReplyTo infer(InferCall call, ReplyTo.Handler handler) {
      received = call.inputs();
      return new ReplyTo(vertx.getOrCreateContext(), handler);
    }

    @Override
    public boolean runsOnlyOn(Predicate<String> devices, String model, String version) {
      return devices.test("CPU") && model.equals("cpuModel");
    }
  }

  private Tensor infer(String model, Tensor input) {
    InferCall call =
        new InferCall(model, "", List.of(input), 0, 0, InferenceRequest.NO_DEADLINE, "me");
    ReplyTo unused = gateway.infer(call, (answer, failure) -> {});
    return inner.received.get(0);
  }

  private static Tensor onHeap(DataType type, int bytes) {
    ByteBuffer data = ByteBuffer.allocate(bytes);
    for (int i = 0; i < bytes; i++) {
      data.put(i, (byte) i);
    }
    return Tensor.of("in", type, Shape.of(bytes), data.asReadOnlyBuffer());
  }

  @Test
  void shouldPutALargeInputIntoTheMemoryOfRequestsAndGiveItBackWithIt() {
    Tensor moved = infer("gpuModel", onHeap(DataType.UINT8, LARGE));

    assertThat(moved.isLeased()).isTrue();
    assertThat(moved.name()).isEqualTo("in");
    assertThat(moved.shape()).isEqualTo(Shape.of(LARGE));
    assertThat(moved.data().mismatch(onHeap(DataType.UINT8, LARGE).data())).isEqualTo(-1);
    assertThat(pool.leasedBytes()).isEqualTo(LARGE);
    moved.close();
    assertThat(pool.leasedBytes()).isZero();
  }

  @Test
  void shouldLeaveWhereItIsWhatNoDeviceGainsBy() {
    assertThat(infer("cpuModel", onHeap(DataType.UINT8, LARGE)).isLeased()).isFalse();
    assertThat(infer("gpuModel", onHeap(DataType.UINT8, LARGE - 1)).isLeased()).isFalse();
    assertThat(infer("gpuModel", onHeap(DataType.BYTES, LARGE)).isLeased()).isFalse();
    Lease lease = pool.acquire(LARGE);
    Tensor there = Tensor.ofLease("in", DataType.UINT8, Shape.of(LARGE), lease, 0, LARGE);
    assertThat(infer("gpuModel", there)).isSameAs(there);
  }

  @Test
  void shouldLeaveTheSecondHalfOfTheMemoryToWhatHasNoOtherPlace() {
    Lease taken = pool.acquire(8L * LARGE);
    Lease more = pool.acquire(LARGE);
    assertThat(infer("gpuModel", onHeap(DataType.UINT8, LARGE)).isLeased()).isFalse();

    taken.close();
    more.close();
    assertThat(infer("gpuModel", onHeap(DataType.UINT8, LARGE)).isLeased()).isTrue();
  }
}
