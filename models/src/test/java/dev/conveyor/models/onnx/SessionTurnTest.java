package dev.conveyor.models.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.conveyor.memory.cuda.Cuda;
import dev.conveyor.memory.cuda.sim.CudaSimulator;
import dev.conveyor.memory.cuda.sim.TestKernel;
import dev.conveyor.models.device.Simulators;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A session's stream beside that of an instance, on the simulated device. */
class SessionTurnTest {

  private static final long MIB = 1 << 20;
  private static final long BYTES = 64;

  private final Object session = new Object();
  private CudaSimulator simulator;
  private Cuda cuda;
  private long stream;
  private long sessionStream;
  private long pool;
  private long memory;

  @BeforeEach
  void start() {
    simulator = Simulators.start("jitter_percent=500 latency_ns=30000 copy_ns=5000");
    cuda = simulator.cuda();
    stream = cuda.newStream(0);
    sessionStream = cuda.newStream(0);
    pool = cuda.newPool(0, MIB);
    memory = cuda.allocate(pool, 2 * BYTES, stream);
    cuda.awaitStream(stream);
  }

  private void compute() {
    TestKernel.launch(sessionStream, 1, memory, BYTES, memory + BYTES, BYTES, 1_000_000);
  }

  /** As an instance does once nothing on its own stream runs any more. */
  private void unload(SessionTurn turn) {
    cuda.awaitStream(stream);
    cuda.free(memory, stream);
    cuda.awaitStream(stream);
    turn.close();
    cuda.destroyPool(pool);
    cuda.awaitStream(sessionStream);
    cuda.destroyStream(sessionStream);
    cuda.destroyStream(stream);
  }

  @Test
  void shouldHaveTheInstancesStreamWaitForTheSessions() {
    SessionTurn turn = new SessionTurn(cuda, session, sessionStream);
    turn.take(stream, this::compute);
    unload(turn);
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }

  @Test
  void shouldWaitAlsoForWhatWasEnqueuedBeforeARunFailed() {
    SessionTurn turn = new SessionTurn(cuda, session, sessionStream);
    assertThatThrownBy(
            () ->
                turn.take(
                    stream,
                    () -> {
                      compute();
                      throw new IllegalStateException("the third operator");
                    }))
        .hasMessage("the third operator");
    unload(turn);
    assertThat(simulator.violationsAndLeaks()).isEmpty();
  }
}
