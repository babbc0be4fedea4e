/** Load over the event bus: {@link dev.conveyor.verticles.bench.bus.BusProtocol}. */
@NullMarked
package dev.conveyor.verticles.bench.bus;

import org.jspecify.annotations.NullMarked;
