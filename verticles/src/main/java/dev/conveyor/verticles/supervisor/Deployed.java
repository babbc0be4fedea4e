package dev.conveyor.verticles.supervisor;

import dev.conveyor.models.config.Isolation;
import dev.conveyor.verticles.ServedModel;
import dev.conveyor.verticles.supervisor.Deployer.Deployment;
import io.vertx.core.Future;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What is deployed, by name of the model, and with which configuration if that is not its file's.
 *
 * <p>Thread-confined to the supervisor's context.
 */
final class Deployed {

  private final Deployer deployer;
  private final Map<String, List<Deployment>> running = new HashMap<>();
  private final Map<String, String> configs = new HashMap<>();

  Deployed(Deployer deployer) {
    this.deployer = deployer;
  }

  boolean contains(String name) {
    return running.containsKey(name);
  }

  Set<String> names() {
    return new HashSet<>(running.keySet());
  }

  /** Returns the versions of a model that run; none if it is not deployed. */
  List<Deployment> of(String name) {
    return running.getOrDefault(name, List.of());
  }

  /** Returns the same as front ends see them. */
  List<ServedModel> served(String name) {
    return of(name).stream().map(Deployment::served).toList();
  }

  /** Returns where a model is now. */
  Set<String> devices(String name) {
    Set<String> devices = new HashSet<>();
    of(name).forEach(deployment -> devices.addAll(deployment.crew().devices()));
    return devices;
  }

  /** Returns whether a version of a model that runs isolated so is on a device. */
  boolean runsOn(String device, Isolation isolation, String name) {
    return of(name).stream()
        .filter(deployment -> deployment.served().config().isolation() == isolation)
        .anyMatch(deployment -> deployment.crew().devices().contains(device));
  }

  /** Returns the configuration that a model was loaded with; null if that was its file's. */
  @Nullable String config(String name) {
    return configs.get(name);
  }

  /** Puts versions in the place of those that run; completes when those are gone. */
  Future<Void> replace(String name, @Nullable String configJson, List<Deployment> by) {
    if (configJson == null) {
      configs.remove(name);
    } else {
      configs.put(name, configJson);
    }
    List<Deployment> old = running.put(name, by);
    return old == null ? Future.succeededFuture() : deployer.retireAll(old, by).otherwiseEmpty();
  }

  /** Takes a model out, whose configuration is remembered; see {@link Deployer#retireAll}. */
  Future<Void> retire(String name) {
    List<Deployment> old = running.remove(name);
    return old == null ? Future.succeededFuture() : deployer.retireAll(old, List.of());
  }

  /** Forgets the configuration of a model. */
  void forgetConfig(String name) {
    configs.remove(name);
  }
}
