package dev.conveyor.models.tensorrt;

import org.bytedeco.javacpp.Pointer;

/** An address that can be pointed elsewhere, so that a call makes no object. Thread-confined. */
final class Address extends Pointer {

  Address(long where) {
    super((Pointer) null);
    address = where;
  }

  Address at(long where) {
    address = where;
    return this;
  }
}
