/**
 * Cameras that do not exist: plays pictures to a server at a frame rate, in several streams.
 *
 * <ul>
 *   <li>{@link Feed} is the whole of it, on {@link FeedPlan}'s terms; {@link FeedResult} is what it
 *       came to.
 *   <li>The pictures: {@link FramesFile}, a directory or a file of Motion JPEG.
 *   <li>What became of the frames of one stream: {@link StreamTally}, which knows no sockets.
 * </ul>
 */
@NullMarked
package dev.conveyor.verticles.feed;

import org.jspecify.annotations.NullMarked;
