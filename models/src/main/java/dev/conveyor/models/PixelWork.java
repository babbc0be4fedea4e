package dev.conveyor.models;

/** Work on the pixels of images that lie one behind the other, which a device can do as well. */
public sealed interface PixelWork permits Crops, Normalization {

  /** Returns the bytes of all images that it reads. */
  long sourceBytes();

  /** Returns the bytes of all images that it writes. */
  long targetBytes();
}
