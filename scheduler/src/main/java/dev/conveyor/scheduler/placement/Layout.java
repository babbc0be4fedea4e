package dev.conveyor.scheduler.placement;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;

/** Which models are on which devices, by number. Immutable. */
public final class Layout {

  private final BitSet[] devicesOf;

  private Layout(BitSet[] devicesOf) {
    this.devicesOf = devicesOf;
  }

  /** Returns a layout where {@code models} are on no device. */
  public static Layout empty(int models) {
    BitSet[] devicesOf = new BitSet[models];
    Arrays.setAll(devicesOf, m -> new BitSet());
    return new Layout(devicesOf);
  }

  /** Returns the layout where each model is on the devices that are listed for it. */
  public static Layout of(List<? extends Iterable<Integer>> devicesOf) {
    Layout layout = empty(devicesOf.size());
    for (int m = 0; m < devicesOf.size(); m++) {
      for (int device : devicesOf.get(m)) {
        layout.devicesOf[m].set(device);
      }
    }
    return layout;
  }

  public int models() {
    return devicesOf.length;
  }

  public boolean has(int model, int device) {
    return devicesOf[model].get(device);
  }

  /** Returns on how many devices a model is. */
  public int count(int model) {
    return devicesOf[model].cardinality();
  }

  /** Returns the devices that a model is on, ascending. */
  public List<Integer> devices(int model) {
    return devicesOf[model].stream().boxed().toList();
  }

  /** Returns the models on a device, ascending. */
  public List<Integer> modelsOn(int device) {
    List<Integer> on = new ArrayList<>();
    for (int m = 0; m < devicesOf.length; m++) {
      if (devicesOf[m].get(device)) {
        on.add(m);
      }
    }
    return on;
  }

  public Layout with(int model, int device) {
    return changed(model, device, true);
  }

  public Layout without(int model, int device) {
    return changed(model, device, false);
  }

  private Layout changed(int model, int device, boolean there) {
    BitSet[] copy = devicesOf.clone();
    copy[model] = (BitSet) devicesOf[model].clone();
    copy[model].set(device, there);
    return new Layout(copy);
  }

  /** Returns what the models on a device take together. */
  public long bytesOn(int device, List<ModelNeed> models) {
    long bytes = 0;
    for (int m = 0; m < devicesOf.length; m++) {
      bytes += devicesOf[m].get(device) ? models.get(m).bytes() : 0;
    }
    return bytes;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Layout layout && Arrays.equals(devicesOf, layout.devicesOf);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(devicesOf);
  }

  /** Returns the devices of each model. */
  @Override
  public String toString() {
    return Arrays.toString(devicesOf);
  }
}
