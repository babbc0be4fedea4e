package dev.conveyor.verticles.grpc;

import dev.conveyor.models.InferenceException;
import dev.conveyor.verticles.ModelOverride;
import dev.conveyor.verticles.RepositoryControl;
import io.vertx.core.Future;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** A repository that writes down what it is asked. Thread-safe. */
final class FakeRepository implements RepositoryControl {

  final List<String> asked = new CopyOnWriteArrayList<>();
  volatile boolean ready = true;

  @Override
  public Future<List<Entry>> index() {
    return Future.succeededFuture(
        List.of(
            new Entry("identity", "1", "READY", ""),
            new Entry("broken", "", "UNAVAILABLE", "no model file")));
  }

  @Override
  public Future<Void> load(String name, ModelOverride override) {
    if (name.equals("broken")) {
      return Future.failedFuture(InferenceException.invalid("failed to load 'broken'"));
    }
    String files = override.files().isEmpty() ? "" : " " + override.files().keySet();
    asked.add("load " + name + " " + override.configJson() + files);
    return Future.succeededFuture();
  }

  @Override
  public Future<Void> unload(String name, boolean dependents) {
    asked.add("unload " + name + (dependents ? " and what it is made of" : ""));
    return Future.succeededFuture();
  }

  @Override
  public boolean isReady() {
    return ready;
  }
}
