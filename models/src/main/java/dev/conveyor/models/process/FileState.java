package dev.conveyor.models.process;

import dev.conveyor.models.backend.ModelLoadException;
import dev.conveyor.models.onnx.OnnxExternalData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What the files of a model looked like when it was loaded from them, so that what is loaded later
 * does not serve another model under the same version: the model file, and those in which it has
 * its weights. Immutable.
 */
public final class FileState {

  private static final Looks ABSENT = new Looks(-1, null, null);

  /** The same for the same content of the same file, under whatever name. */
  private record Looks(long bytes, @Nullable FileTime modified, @Nullable Object key) {

    static Looks of(Path file) {
      try {
        BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
        return new Looks(attributes.size(), attributes.lastModifiedTime(), attributes.fileKey());
      } catch (IOException gone) {
        return ABSENT;
      }
    }
  }

  private record Seen(Path file, Looks looks) {

    static Seen of(Path file) {
      return new Seen(file, Looks.of(file));
    }

    boolean isSame() {
      return looks.equals(Looks.of(file));
    }
  }

  private final List<Seen> files;

  private FileState(List<Seen> files) {
    this.files = List.copyOf(files);
  }

  /**
   * Takes note of a model's files. Blocking.
   *
   * @throws ModelLoadException if the model file is not there
   */
  public static FileState of(Path model) {
    if (!Files.exists(model)) {
      throw new ModelLoadException(model + ": there is no such file");
    }
    List<Seen> seen = new ArrayList<>();
    seen.add(Seen.of(model));
    for (String location : weights(model)) {
      seen.add(Seen.of(model.resolveSibling(location)));
    }
    return new FileState(seen);
  }

  /** What is no ONNX file has no other files, as far as anybody knows. */
  private static Set<String> weights(Path model) {
    try {
      return OnnxExternalData.locations(model);
    } catch (IOException e) {
      return Set.of();
    }
  }

  /** Returns the files, the model file first. */
  List<Path> files() {
    return files.stream().map(Seen::file).toList();
  }

  /**
   * Returns whether other names are those of the same files.
   *
   * @param names as many as {@link #files}, in that order
   */
  boolean isSameAt(List<Path> names) {
    return files.stream().map(Seen::looks).toList().equals(names.stream().map(Looks::of).toList());
  }

  /** Returns whether the files are what they were. */
  boolean isSame() {
    return files.stream().allMatch(Seen::isSame);
  }

  /**
   * Refuses files that are not what they were.
   *
   * @throws ModelLoadException if one changed or is gone
   */
  public void requireSame() {
    for (Seen seen : files) {
      if (!seen.isSame()) {
        throw new ModelLoadException(
            seen.file()
                + ": the file changed since the model was loaded or tried; load the model again");
      }
    }
  }
}
