package dev.conveyor.models.config;

import java.util.Collection;
import java.util.Comparator;
import java.util.List;

/** Which versions of a model are served (Triton's {@code ModelVersionPolicy}). */
public sealed interface VersionPolicy {

  /** Returns the versions to serve out of those found, ascending. */
  List<Long> select(Collection<Long> found);

  VersionPolicy DEFAULT = new Latest(1);

  /** The {@code count} highest versions. */
  record Latest(int count) implements VersionPolicy {
    public Latest {
      if (count < 1) {
        throw new ConfigException("num_versions", "1 or more", count);
      }
    }

    @Override
    public List<Long> select(Collection<Long> found) {
      return found.stream().sorted(Comparator.reverseOrder()).limit(count).sorted().toList();
    }
  }

  /** Every version. */
  record All() implements VersionPolicy {
    @Override
    public List<Long> select(Collection<Long> found) {
      return found.stream().sorted().toList();
    }
  }

  /** These versions, as far as they exist. */
  record Specific(List<Long> versions) implements VersionPolicy {
    public Specific {
      versions = List.copyOf(versions);
      if (versions.isEmpty()) {
        throw new ConfigException("versions", "at least one version", "none");
      }
    }

    @Override
    public List<Long> select(Collection<Long> found) {
      return found.stream().filter(versions::contains).sorted().toList();
    }
  }
}
