/**
 * Streams of frames, whatever protocol they come through.
 *
 * <ul>
 *   <li>What happens to a frame when the models are slower than the camera: {@link FrameGate}, set
 *       up by {@link StreamTerms}.
 *   <li>Where one picture ends and the next begins: {@link JpegSplitter} for pictures one after the
 *       other, {@link MultipartSplitter} for {@code multipart/x-mixed-replace}; both fill a {@link
 *       FrameBuffer}.
 * </ul>
 *
 * <p>Plain objects: no sockets, no clocks, no threads. The front ends own one of each per stream.
 */
@NullMarked
package dev.conveyor.verticles.stream;

import org.jspecify.annotations.NullMarked;
