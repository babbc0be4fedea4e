package dev.conveyor.models.device;

import dev.conveyor.memory.cuda.Cuda;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;

/**
 * A runtime that leaves out calls of one method: what a pipeline would be in which somebody had
 * removed a line; who asks whether something is complete is told that it is.
 */
public final class DroppedCall {

  private final String method;
  private final int of;
  private final int which;
  private int calls;

  private DroppedCall(String method, int of, int which) {
    this.method = method;
    this.of = of;
    this.which = which;
  }

  /** Leaves out call number {@code which} of every {@code of} calls of the method. */
  public static Cuda in(Cuda cuda, String method, int of, int which) {
    return in(cuda, method, of, which, 0);
  }

  /** The same, but for the first calls of it. */
  public static Cuda in(Cuda cuda, String method, int of, int which, int first) {
    DroppedCall dropped = new DroppedCall(method, of, which);
    return (Cuda)
        Proxy.newProxyInstance(
            Cuda.class.getClassLoader(),
            new Class<?>[] {Cuda.class},
            (proxy, called, args) -> {
              if (called.getName().equals(dropped.method)
                  && dropped.calls++ >= first
                  && (dropped.calls - 1 - first) % dropped.of == dropped.which) {
                return called.getReturnType() == boolean.class ? true : null;
              }
              try {
                return called.invoke(cuda, args);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }
}
