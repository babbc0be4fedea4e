package dev.conveyor.models.process;

import dev.conveyor.models.process.wire.ControlChannel;
import dev.conveyor.models.process.wire.Message;
import dev.conveyor.models.process.wire.MessageType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** A worker that writes beside its model's file what the system lets it have. */
public final class ReportingWorker {

  static final String REPORT = ".report";

  private ReportingWorker() {}

  public static void main(String[] arguments) throws Exception {
    ControlChannel channel = WorkerStub.connect(arguments).channel();
    while (true) {
      Message message = channel.receive(0);
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
