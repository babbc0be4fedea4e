/** The actor that runs batches: {@link dev.conveyor.verticles.instance.InstanceVerticle}. */
@NullMarked
package dev.conveyor.verticles.instance;

import org.jspecify.annotations.NullMarked;
