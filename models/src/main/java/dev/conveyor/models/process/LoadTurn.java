package dev.conveyor.models.process;

import dev.conveyor.models.device.LoadMeter;
import dev.conveyor.models.process.wire.Message;
import dev.conveyor.models.process.wire.MessageType;
import org.jspecify.annotations.Nullable;

/**
 * What makes a worker take more of its GPU, side by side with nothing else that does: begins when
 * nothing else is loaded there, and ends when the ledger says what it took. On the CPU it waits for
 * nothing.
 *
 * <p>Thread-confined: created, used and closed by one thread.
 */
final class LoadTurn implements AutoCloseable {

  private final @Nullable GpuShare share;
  private final LoadMeter.Turn loading;
  private LoadMeter.@Nullable Turn measuring;

  /**
   * Waits for its turn.
   *
   * @param share null on the CPU
   */
  LoadTurn(@Nullable GpuShare share) {
    this.share = share;
    this.loading = share == null ? () -> {} : LoadMeter.alone(ordinal(share));
  }

  private static int ordinal(GpuShare share) {
    return share.place().gpu().ordinal();
  }

  /**
   * Sends what was begun and waits for the answer. Once the worker says that it measures, no other
   * one gives anything back before this ends.
   */
  Message call(WorkerLine line) throws WorkerLostException {
    Message answer = line.callToLoad();
    while (answer.type() == MessageType.MEASURE) {
      if (share != null && measuring == null) {
        measuring = LoadMeter.measuring(ordinal(share));
      }
      line.begin(MessageType.MEASURE);
      answer = line.callToLoad();
    }
    return answer;
  }

  @Override
  public void close() {
    if (measuring != null) {
      measuring.end();
    }
    loading.end();
  }
}
