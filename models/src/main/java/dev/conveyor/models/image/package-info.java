/**
 * Encoded images in, input tensors out.
 *
 * <ul>
 *   <li>A request's images at once, from a {@code BYTES} tensor: {@link ImageTensors}.
 *   <li>One image into memory that is there already: {@link ImagePreprocessor}.
 *   <li>What an image is, without decoding it: {@link ImageHeader}.
 *   <li>Where a letterboxed image lies in its frame (to map boxes back): {@link Letterbox}.
 *   <li>To have the native code loaded before it is needed: {@link OpenCv#load}.
 * </ul>
 *
 * <p>JPEG and PNG. An EXIF orientation is applied; alpha is dropped; 16 bits per sample become the
 * upper 8; of CMYK with Adobe's marker, which says that it is stored inverted, red, green and blue
 * are made as OpenCV makes them, without its colour profile; without the marker it is refused. What
 * is truncated is refused too. Damage inside the compressed data of a JPEG that ends properly
 * cannot be told from an odd picture, and is not noticed.
 *
 * <p>OpenCV does the decoding, with its own threads turned off: callers bring the parallelism.
 */
@NullMarked
package dev.conveyor.models.image;

import org.jspecify.annotations.NullMarked;
