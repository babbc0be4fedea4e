/**
 * What runs batches on a device with streams of its own, several at a time.
 *
 * <ul>
 *   <li>{@link Pipeline} keeps copies and computation of successive batches going at the same time;
 *       it is the same for everything that computes.
 *   <li>{@link GpuBackend} opens a model file on a GPU: {@link DeviceModel}, the weights, from
 *       which every instance has a {@link DeviceEngine}. A library is plugged in by a class of this
 *       kind.
 *   <li>{@link DeviceEngine} enqueues the computation of one batch. It is what differs between
 *       libraries.
 *   <li>{@link PipelinedInstance} is a pipeline and the thread that waits for its batches.
 *   <li>{@link LoadMeter} measures what a load takes of a device; {@link PatientLock} keeps what is
 *       measured alone, but not for ever.
 * </ul>
 */
@NullMarked
package dev.conveyor.models.device;

import org.jspecify.annotations.NullMarked;
