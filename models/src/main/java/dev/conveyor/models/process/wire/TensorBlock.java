package dev.conveyor.models.process.wire;

import dev.conveyor.models.Shape;

/**
 * Where a tensor lies in a slab.
 *
 * @param shape static
 */
public record TensorBlock(Shape shape, int offset, int bytes) {}
