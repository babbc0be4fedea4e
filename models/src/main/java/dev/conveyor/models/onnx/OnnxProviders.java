package dev.conveyor.models.onnx;

import dev.conveyor.memory.Natives;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.onnxruntime.StringVector;
import org.bytedeco.onnxruntime.global.onnxruntime;

/** What the ONNX Runtime of this build was compiled for. Stateless. */
public final class OnnxProviders {

  static {
    Natives.ready();
  }

  private OnnxProviders() {}

  /**
   * Returns the names of its execution providers, the fastest first. That one is compiled in does
   * not say that this machine has what it needs.
   *
   * @throws LinkageError if this machine cannot load ONNX Runtime
   */
  public static List<String> compiledIn() {
    List<String> names = new ArrayList<>();
    try (StringVector providers = onnxruntime.GetAvailableProviders()) {
      for (long i = 0; i < providers.size(); i++) {
        names.add(providers.get(i).getString());
      }
    }
    return names;
  }
}
