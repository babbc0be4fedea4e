package dev.conveyor.verticles.chaos;

import dev.conveyor.models.backend.Backend;
import java.io.IOException;
import java.net.URL;
import java.util.Collections;
import java.util.Enumeration;
import java.util.Objects;

/**
 * Main class of a server whose backend is a {@link FaultyBackend}. On the class path of every other
 * server, so that the archive of classes, which is made for that path, is of use to this one and
 * its workers as well.
 */
public final class FaultyMain {

  private static final String MAIN = "dev.conveyor.verticles.cli.Main";
  private static final String SERVICE = "META-INF/services/" + Backend.class.getName();

  private FaultyMain() {}

  /**
   * Runs the command line of a server. By name, since that has the command of this package, too.
   */
  public static void main(String[] arguments) throws ReflectiveOperationException {
    URL service = Objects.requireNonNull(FaultyMain.class.getResource("/chaos/backends"));
    Thread.currentThread().setContextClassLoader(new Registered(service));
    Class.forName(MAIN).getMethod("main", String[].class).invoke(null, (Object) arguments);
  }

  /** Registers this backend instead of the usual one; all else is the parent's. */
  private static final class Registered extends ClassLoader {

    private final URL service;

    Registered(URL service) {
      super(FaultyMain.class.getClassLoader());
      this.service = service;
    }

    @Override
    public Enumeration<URL> getResources(String name) throws IOException {
      return name.equals(SERVICE)
          ? Collections.enumeration(Collections.singleton(service))
          : super.getResources(name);
    }
  }
}
