package dev.conveyor.models.tensorrt;

import com.sun.jna.Callback;
import com.sun.jna.Pointer;
import java.util.List;
import org.bytedeco.tensorrt.nvinfer.IProfiler;

/**
 * TensorRT's {@code IProfiler}, which the binding cannot implement in Java. The order of its
 * functions is that of TensorRT's headers. Immutable; must be kept while native code may call it.
 */
final class NativeProfiler {

  private final CppObject object;
  private final IProfiler handle;

  interface LayerTime extends Callback {
    void invoke(Pointer self, Pointer layer, float milliseconds);
  }

  interface Destructor extends Callback {
    void invoke(Pointer self);
  }

  /** Adds every layer's time to {@code times}. */
  NativeProfiler(LayerTimes times) {
    this.object = object(times);
    this.handle = new IProfiler(new Address(object.address()));
  }

  static CppObject object(LayerTimes times) {
    LayerTime report = (self, layer, milliseconds) -> times.add(layer.getString(0), milliseconds);
    Destructor nothing = self -> {};
    return new CppObject(List.of(report, nothing, nothing));
  }

  IProfiler handle() {
    return handle;
  }

  /** Returns the address that native code knows it by. */
  long address() {
    return object.address();
  }
}
