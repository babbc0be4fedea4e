/**
 * Ensembles without threads and sockets: what runs after what, and what each step takes and gives.
 *
 * <ul>
 *   <li>To check a configuration against the models it names: {@link PlanBuilder}.
 *   <li>To follow one request: {@link Progress}.
 *   <li>To know how long a request takes at least: {@link CriticalPath}.
 * </ul>
 */
@NullMarked
package dev.conveyor.models.ensemble;

import org.jspecify.annotations.NullMarked;
