/**
 * What batches cost, beyond the life of a server: measured before a model is ready, stored when it
 * goes, shown to who asks. The learning itself is {@code dev.conveyor.scheduler.profile}.
 *
 * <ul>
 *   <li>{@link ProfileKeeper} warms instances up and stores what was learned.
 *   <li>{@link ProfileStore} knows where files are; {@link ProfileKey} when one is out of date.
 *   <li>{@link ProfileJson} writes profiles for people.
 * </ul>
 */
@NullMarked
package dev.conveyor.verticles.profile;

import org.jspecify.annotations.NullMarked;
