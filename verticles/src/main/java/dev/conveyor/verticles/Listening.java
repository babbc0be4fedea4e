package dev.conveyor.verticles;

import io.vertx.core.Future;
import java.net.BindException;

/** Says which port could not be opened, and which key of the server's file names it. Stateless. */
public final class Listening {

  private Listening() {}

  /**
   * Returns {@code listening}, with a failure that an operator can act on.
   *
   * @param key key of the listener in the server's file
   */
  public static <T> Future<T> at(String key, String host, int port, Future<T> listening) {
    return listening.recover(
        e ->
            Future.failedFuture(
                new BindException(
                    "%s: cannot listen on %s:%d: %s".formatted(key, host, port, e.getMessage()))));
  }
}
