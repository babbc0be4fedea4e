package dev.conveyor.verticles.bus;

import dev.conveyor.verticles.ConveyorServer;
import dev.conveyor.verticles.server.TestServer;
import dev.conveyor.verticles.supervisor.SupervisorEvents;
import io.vertx.core.Vertx;
import io.vertx.core.json.JsonObject;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * The program of the second JVM: hosts a server in a cluster until its standard input ends. Prints
 * {@link #READY} when the models are loaded and {@link #STOPPED} when everything was returned.
 */
final class ClusteredServer {

  static final String READY = "server is ready";
  static final String STOPPED = "server has stopped";

  private ClusteredServer() {}

  /** Arguments: the repository, the member's own port, every member's port. */
  public static void main(String[] args) throws Exception {
    List<Integer> ports = Arrays.stream(args, 2, args.length).map(Integer::valueOf).toList();
    Vertx vertx = LoopbackCluster.join(Integer.parseInt(args[1]), ports);
    ConveyorServer server =
        new ConveyorServer(
            vertx, TestServer.config(Path.of(args[0]), new JsonObject()), SupervisorEvents.NONE);
    TestServer.await(server.start());
    System.out.println(READY);
    System.in.transferTo(OutputStream.nullOutputStream());
    TestServer.await(server.stop());
    if (server.requestMemory().leasedBytes() == 0 && server.budget().reservedBytes() == 0) {
      System.out.println(STOPPED);
    }
    TestServer.await(vertx.close());
  }
}
