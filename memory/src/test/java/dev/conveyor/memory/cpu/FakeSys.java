package dev.conveyor.memory.cpu;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A directory that stands for {@code /sys}. */
record FakeSys(Path root) {

  FakeSys put(String file, String text) {
    try {
      Path path = root.resolve("class").resolve(file);
      Files.createDirectories(path.getParent());
      Files.writeString(path, text + "\n");
      return this;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  FakeSys remove(String file) {
    try {
      Files.delete(root.resolve("class").resolve(file));
      return this;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A package whose counter begins again after 1,000 J. */
  FakeSys energy(int number, String microjoules) {
    String zone = "powercap/intel-rapl:" + number + "/";
    return put(zone + "name", "package-" + number)
        .put(zone + "max_energy_range_uj", "1000000000")
        .put(zone + "energy_uj", microjoules);
  }
}
