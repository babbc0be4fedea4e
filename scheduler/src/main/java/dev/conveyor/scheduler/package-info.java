/**
 * Decides what runs where and when.
 *
 * <ul>
 *   <li>What is scheduled: {@link InferenceRequest}, grouped into a {@link Batch}; the answer goes
 *       straight to its {@link ReplyTo}.
 *   <li>The decision: {@link Scheduler}, plain Java without threads, clocks or Vert.x; time and
 *       events come in, decisions come out.
 *   <li>The actor around it: {@link SchedulerVerticle}, one event loop, told by {@link
 *       SchedulerCommand} what there is to schedule; reached at {@link Addresses}.
 *   <li>What it holds and has done: {@link SchedulerSnapshot}, and why: {@code decisions}.
 *   <li>The rules it is made of: {@code batching}, {@code profile}, {@code fairness}.
 *   <li>Which devices hold which models, for several devices: {@code placement}, apart from it.
 * </ul>
 *
 * <p>Never looks into a tensor and knows no device library.
 */
@NullMarked
package dev.conveyor.scheduler;

import org.jspecify.annotations.NullMarked;
