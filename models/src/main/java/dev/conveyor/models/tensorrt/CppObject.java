package dev.conveyor.models.tensorrt;

import com.sun.jna.Callback;
import com.sun.jna.CallbackReference;
import com.sun.jna.Function;
import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.util.List;

/**
 * Objects of C++ by their tables of virtual functions, for what the binding of TensorRT leaves out:
 * it cannot delete what the library returns, and not every interface can be implemented in Java.
 *
 * <p>Of the Itanium C++ ABI, which every compiler for Linux follows: an object begins with the
 * address of its table; a virtual destructor takes two places in it, the second of which also frees
 * the object; functions take the object first.
 *
 * <p>Thread-safe: immutable. The native object lives as long as this one is reachable.
 */
final class CppObject {

  private final Memory table;
  private final Memory object;

  /** Referred to, since native code calls them. */
  @SuppressWarnings({"unused", "FieldCanBeLocal"})
  private final List<Callback> functions;

  /** Makes an object whose virtual functions are these, in their order. */
  CppObject(List<? extends Callback> functions) {
    this.functions = List.copyOf(functions);
    this.table = new Memory((long) functions.size() * Native.POINTER_SIZE);
    for (int i = 0; i < functions.size(); i++) {
      table.setPointer(
          (long) i * Native.POINTER_SIZE, CallbackReference.getFunctionPointer(functions.get(i)));
    }
    this.object = new Memory(Native.POINTER_SIZE);
    object.setPointer(0, table);
  }

  /** Returns the address that native code knows it by. */
  long address() {
    return Pointer.nativeValue(object);
  }

  /**
   * Deletes an object whose destructor is its first virtual function.
   *
   * @param address 0 does nothing
   */
  static void delete(long address) {
    delete(address, 1);
  }

  /**
   * Deletes an object.
   *
   * @param deletingDestructor its place in the table, from 0
   */
  static void delete(long address, int deletingDestructor) {
    if (address != 0) {
      Pointer object = new Pointer(address);
      Pointer destructor =
          object.getPointer(0).getPointer((long) deletingDestructor * Native.POINTER_SIZE);
      Function.getFunction(destructor).invokeVoid(new Object[] {object});
    }
  }
}
