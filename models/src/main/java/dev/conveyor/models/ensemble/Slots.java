package dev.conveyor.models.ensemble;

import dev.conveyor.models.ensemble.Wiring.Read;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Numbers the tensors of one graph and counts who reads them. Not thread-safe: owned by a load. */
final class Slots {

  private final Map<Read, Integer> slots = new LinkedHashMap<>();
  private final List<Integer> uses = new ArrayList<>();
  private final List<Integer> givers = new ArrayList<>();

  /** Returns where something is put, under the name its giver has for it. */
  Binding give(String name, Read read) {
    int slot = slot(read);
    givers.set(slot, givers.get(slot) + 1);
    return new Binding(name, slot);
  }

  /** Returns where something is read, under the name its reader has for it. */
  Binding take(String name, Read read) {
    int slot = slot(read);
    uses.set(slot, uses.get(slot) + 1);
    return new Binding(name, slot);
  }

  List<Integer> uses() {
    return List.copyOf(uses);
  }

  List<Integer> givers() {
    return List.copyOf(givers);
  }

  /** Who reads may come before who gives: the order of steps is that of the configuration. */
  private int slot(Read read) {
    return slots.computeIfAbsent(
        read,
        r -> {
          uses.add(0);
          givers.add(0);
          return uses.size() - 1;
        });
  }
}
