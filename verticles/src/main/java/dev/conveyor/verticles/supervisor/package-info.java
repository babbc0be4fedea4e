/**
 * Brings models into service and takes them out again.
 *
 * <ul>
 *   <li>{@link ModelSupervisor} is the owner of what is deployed, and the repository API.
 *   <li>{@link BringUp} is the way from files to instances; {@link Residents} makes room for it,
 *       and {@link ColdStarts} has the requests that wait for it.
 *   <li>{@link ModelLoader} does the slow part off the event loops: files, configuration, weights.
 *   <li>{@link InstanceKeeper} keeps the instances of a {@link Crew} up; {@link InstanceScaling}
 *       and {@link DevicePlacement} change how many there are, and where.
 *   <li>{@link InstancePlan} says how many instances with how many threads.
 *   <li>{@link SupervisorEvents} tells the rest of the world.
 * </ul>
 */
@NullMarked
package dev.conveyor.verticles.supervisor;

import org.jspecify.annotations.NullMarked;
