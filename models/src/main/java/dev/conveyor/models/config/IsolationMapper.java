package dev.conveyor.models.config;

import java.time.Duration;

/** Reads and writes {@link ProcessIsolation}. Stateless. */
final class IsolationMapper {

  private IsolationMapper() {}

  static ProcessIsolation process(dev.conveyor.models.proto.ProcessIsolation proto) {
    return new ProcessIsolation(
        proto.getMaxMemoryBytes(),
        proto.getMaxOpenFiles(),
        proto.getCpuSet(),
        proto.hasHeartbeatTimeoutMs()
            ? Duration.ofMillis(proto.getHeartbeatTimeoutMs())
            : ProcessIsolation.DEFAULT.heartbeatTimeout());
  }

  static dev.conveyor.models.proto.ProcessIsolation toProto(ProcessIsolation process) {
    return dev.conveyor.models.proto.ProcessIsolation.newBuilder()
        .setMaxMemoryBytes(process.maxMemoryBytes())
        .setMaxOpenFiles(process.maxOpenFiles())
        .setCpuSet(process.cpuSet())
        .setHeartbeatTimeoutMs(Math.toIntExact(process.heartbeatTimeout().toMillis()))
        .build();
  }
}
