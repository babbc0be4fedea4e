/** A model instance on the simulated device, for tests and benchmarks. */
@NullMarked
package dev.conveyor.models.device.sim;

import org.jspecify.annotations.NullMarked;
