package dev.conveyor.verticles.grpc;

import dev.conveyor.models.InferenceException;
import dev.conveyor.verticles.RepositoryControl;
import io.vertx.core.Future;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

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
  public Future<Void> load(String name, @Nullable String configJson) {
    if (name.equals("broken")) {
      return Future.failedFuture(InferenceException.invalid("failed to load 'broken'"));
    }
    asked.add("load " + name + " " + configJson);
    return Future.succeededFuture();
  }

  @Override
  public Future<Void> unload(String name) {
    asked.add("unload " + name);
    return Future.succeededFuture();
  }

  @Override
  public boolean isReady() {
    return ready;
  }
}
