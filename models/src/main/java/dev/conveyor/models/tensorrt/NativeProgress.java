package dev.conveyor.models.tensorrt;

import com.sun.jna.Callback;
import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import com.sun.jna.Structure;
import com.sun.jna.Structure.FieldOrder;
import java.util.List;
import org.bytedeco.tensorrt.nvinfer.IProgressMonitor;
import org.jspecify.annotations.Nullable;

/**
 * TensorRT's {@code IProgressMonitor}, version 1.0, which the binding cannot implement in Java. The
 * order of its functions is that of TensorRT's headers: first those of {@code IVersionedInterface}.
 * The object has no C++ type information, so a {@code dynamic_cast} of it would end the process.
 * Immutable; must be kept while native code may call it.
 */
final class NativeProgress {

  private static final String KIND = "IProgressMonitor";
  private static final int CPP = 0;

  private final CppObject object;

  interface Language extends Callback {
    int invoke(Pointer self);
  }

  interface Info extends Callback {
    InterfaceInfo invoke(Pointer self);
  }

  interface Destructor extends Callback {
    void invoke(Pointer self);
  }

  interface PhaseStart extends Callback {
    void invoke(Pointer self, Pointer phase, @Nullable Pointer parent, int steps);
  }

  /** Returns a C++ {@code bool}, of which the caller reads the lowest byte. */
  interface StepComplete extends Callback {
    int invoke(Pointer self, Pointer phase, int step);
  }

  interface PhaseFinish extends Callback {
    void invoke(Pointer self, Pointer phase);
  }

  /** What interface this is. Public because JNA makes it. */
  @FieldOrder({"kind", "major", "minor"})
  public static final class InterfaceInfo extends Structure implements Structure.ByValue {
    public @Nullable Pointer kind;
    public int major;
    public int minor;

    /** For JNA. */
    public InterfaceInfo() {}

    InterfaceInfo(Pointer kind, int major, int minor) {
      this.kind = kind;
      this.major = major;
      this.minor = minor;
    }
  }

  /** Tells {@code progress}. */
  NativeProgress(BuildProgress progress) {
    Memory kind = new Memory(KIND.length() + 1L);
    kind.setString(0, KIND);
    Language language = self -> CPP;
    InterfaceInfo version = new InterfaceInfo(kind, 1, 0);
    version.write(); // JNA hands over the memory as it is.
    Info info = self -> version;
    Destructor nothing = self -> {};
    PhaseStart start =
        (self, phase, parent, steps) ->
            progress.begin(phase.getString(0), parent == null ? null : parent.getString(0), steps);
    StepComplete step = (self, phase, done) -> progress.step(phase.getString(0), done) ? 1 : 0;
    PhaseFinish finish = (self, phase) -> progress.end(phase.getString(0));
    this.object = new CppObject(List.of(language, info, nothing, nothing, start, step, finish));
  }

  IProgressMonitor handle() {
    return new IProgressMonitor(new Address(object.address()));
  }

  /** Returns the address that native code knows it by. */
  long address() {
    return object.address();
  }
}
