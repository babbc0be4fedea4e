package dev.conveyor.scheduler.placement;

import java.util.List;

/**
 * One change of a layout: a model is loaded onto one more device, after others have left it to make
 * room. Immutable.
 *
 * @param leaving models that leave the device before; each is somewhere else, too, or nothing comes
 *     for it
 * @param gain device time that is carried afterwards and is not now
 */
public record PlacementStep(
    int model, int device, List<Integer> leaving, double gain, String reason) {

  public PlacementStep {
    leaving = List.copyOf(leaving);
  }

  /** Returns the layout after the step. */
  public Layout applyTo(Layout layout) {
    return roomIn(layout).with(model, device);
  }

  /** Returns the layout once room is made. */
  public Layout roomIn(Layout layout) {
    Layout room = layout;
    for (int gone : leaving) {
      room = room.without(gone, device);
    }
    return room;
  }
}
