package dev.conveyor.verticles.bus;

import com.hazelcast.config.Config;
import com.hazelcast.config.JoinConfig;
import com.hazelcast.config.NetworkConfig;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.eventbus.EventBusOptions;
import io.vertx.spi.cluster.hazelcast.ConfigUtil;
import io.vertx.spi.cluster.hazelcast.HazelcastClusterManager;
import java.util.List;

/** Clusters of JVMs on this machine, on given ports of the loopback interface. Stateless. */
final class LoopbackCluster {

  private static final String LOOPBACK = "127.0.0.1";

  private LoopbackCluster() {}

  /**
   * Joins, or founds, the cluster.
   *
   * @param port of this member
   * @param ports of every member
   */
  static Vertx join(int port, List<Integer> ports) {
    // Else Hazelcast looks for its own choice of logging.
    System.setProperty("hazelcast.logging.type", "slf4j");
    Config config = ConfigUtil.loadConfig();
    config.setClusterName("conveyor-test-" + ports);
    config.setProperty("hazelcast.phone.home.enabled", "false");
    config.setProperty("hazelcast.socket.bind.any", "false");
    config.setProperty("hazelcast.shutdownhook.enabled", "false");
    NetworkConfig network = config.getNetworkConfig();
    network.setPort(port).setPortAutoIncrement(false);
    network.getInterfaces().setEnabled(true).addInterface(LOOPBACK);
    JoinConfig join = network.getJoin();
    join.getAutoDetectionConfig().setEnabled(false);
    join.getMulticastConfig().setEnabled(false);
    join.getTcpIpConfig().setEnabled(true);
    for (int member : ports) {
      join.getTcpIpConfig().addMember(LOOPBACK + ":" + member);
    }
    EventBusOptions bus = new EventBusOptions().setHost(LOOPBACK).setClusterPublicHost(LOOPBACK);
    return TestServer.await(
        Vertx.builder()
            .with(new VertxOptions().setEventBusOptions(bus))
            .withClusterManager(new HazelcastClusterManager(config))
            .buildClustered());
  }
}
