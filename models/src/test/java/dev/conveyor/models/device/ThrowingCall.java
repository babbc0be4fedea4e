package dev.conveyor.models.device;

import dev.conveyor.memory.cuda.Cuda;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.concurrent.atomic.AtomicInteger;

/** A runtime one call of which ends in an error of the JVM instead. */
final class ThrowingCall {

  private ThrowingCall() {}

  /** Throws in place of call number {@code which} of the method. */
  static Cuda in(Cuda cuda, String method, int which, Error error) {
    AtomicInteger calls = new AtomicInteger();
    return (Cuda)
        Proxy.newProxyInstance(
            Cuda.class.getClassLoader(),
            new Class<?>[] {Cuda.class},
            (proxy, called, args) -> {
              if (called.getName().equals(method) && calls.getAndIncrement() == which) {
                throw error;
              }
              try {
                return called.invoke(cuda, args);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }
}
