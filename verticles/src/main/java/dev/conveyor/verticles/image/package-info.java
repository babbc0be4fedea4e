/** Decoding and fitting images beside the event loops: {@link ImageStage}. */
@NullMarked
package dev.conveyor.verticles.image;

import org.jspecify.annotations.NullMarked;
