/**
 * Which devices hold which models when there are several. Plain Java; nothing here reads a clock,
 * loads a model or moves a byte.
 *
 * <ul>
 *   <li>What there is: {@link FleetDevice}, {@link ModelNeed}; who is where: {@link Layout}.
 *   <li>What a layout carries, and in which shares: {@link SquishyPacking}, which makes a {@link
 *       Packing}.
 *   <li>Whether to change it: {@link PlacementPlanner}, one {@link PlacementStep} at a time.
 *   <li>When a server asks: {@link PlacementDriver}, with a {@link FleetView}.
 *   <li>How fast requests come, for deciding that: {@link ArrivalRate}.
 * </ul>
 *
 * <p>Devices and models are numbered by their places in the lists of one call. Sizes are bytes,
 * times nanoseconds, rates items per second; "device time" counts one busy device as one.
 */
@NullMarked
package dev.conveyor.scheduler.placement;

import org.jspecify.annotations.NullMarked;
