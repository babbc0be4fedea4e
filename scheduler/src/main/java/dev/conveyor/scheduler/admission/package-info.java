/**
 * Who is let in, and who is told at once to come again later.
 *
 * <ul>
 *   <li>To ask whether a request of a model may come in, on any thread and before its bytes were
 *       read: {@link AdmissionRule} over the {@link ModelLoad} in the model's {@link LoadCell};
 *       {@link PriorityLevels} has what each level of priority finds of it.
 *   <li>To tell a standing queue from a burst: {@link StandingQueueGuard}.
 *   <li>To bound what a client or a model is asked: {@link TokenBucket}, and {@link TenantQuotas}
 *       for many clients, {@link ModelQuotas} for many models.
 *   <li>To learn how wrong predicted waits are: {@link LatencyMargin}.
 * </ul>
 *
 * <p>Nothing here reads a clock; times are {@link System#nanoTime} nanoseconds and are compared by
 * difference only.
 */
@NullMarked
package dev.conveyor.scheduler.admission;

import org.jspecify.annotations.NullMarked;
