package dev.conveyor.verticles.bench.load;

import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;
import java.util.stream.Collectors;

/** The protocols of this program. Stateless. */
public final class LoadProtocols {

  private LoadProtocols() {}

  /**
   * Finds a protocol by its name.
   *
   * @throws IllegalArgumentException if there is none; the message lists those there are
   */
  public static LoadProtocol find(String name) {
    List<LoadProtocol> known =
        new ArrayList<>(
            List.of(new HttpProtocol(), new SharedMemoryProtocol(), new GrpcProtocol()));
    ServiceLoader.load(LoadProtocol.class).forEach(known::add);
    for (LoadProtocol protocol : known) {
      if (protocol.name().equals(name)) {
        return protocol;
      }
    }
    String names = known.stream().map(LoadProtocol::name).collect(Collectors.joining(", "));
    throw new IllegalArgumentException(
        "unknown protocol \"%s\", expected one of %s".formatted(name, names));
  }
}
