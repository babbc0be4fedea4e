package dev.conveyor.models.process;

import dev.conveyor.models.process.wire.ControlChannel;
import dev.conveyor.models.process.wire.Message;
import dev.conveyor.models.process.wire.MessageType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * A worker that writes beside its model's file what the system lets it have. As a spare it refuses
 * to warm up where a file of the name {@value #COLD} lies beside its server's directory, which it
 * deletes.
 */
public final class ReportingWorker {

  static final String REPORT = ".report";
  static final String COLD = "cold";

  private ReportingWorker() {}

  public static void main(String[] arguments) throws Exception {
    ControlChannel channel = WorkerStub.connect(arguments).channel();
    Path cold = Path.of(arguments[0]).getParent().resolveSibling(COLD);
    while (true) {
      Message message = channel.receive(0);
      if (message.type() == MessageType.WARM_UP && Files.deleteIfExists(cold)) {
        channel.begin(MessageType.FAILED).putString("RUN").putString("too cold").send();
        continue;
      }
      if (message.type() == MessageType.LOAD) {
        Files.writeString(Path.of(message.readString() + REPORT), report());
        channel
            .begin(MessageType.LOADED)
            .putLong(0)
            .putHolders(Map.of())
            .putSpecs(List.of())
            .putSpecs(List.of())
            .send();
      } else {
        channel.begin(MessageType.DONE).putLong(0).putHolders(Map.of()).send();
      }
    }
  }

  /** Returns what Linux says of this process, and which GPUs it may see. */
  static String report() throws Exception {
    return Files.readString(Path.of("/proc/self/limits"))
        + Files.readString(Path.of("/proc/self/status"))
        + "oom_score_adj="
        + Files.readString(Path.of("/proc/self/oom_score_adj"))
        + "CUDA_VISIBLE_DEVICES="
        + System.getenv("CUDA_VISIBLE_DEVICES")
        + "\n";
  }
}
