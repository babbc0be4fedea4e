package dev.conveyor.verticles.bench.load;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import io.vertx.core.buffer.Buffer;

/**
 * One input of a prepared request.
 *
 * @param shape every dimension, the batch included
 * @param data little-endian elements as in the protocol's binary extension; never changed
 */
public record RequestTensor(String name, DataType type, Shape shape, Buffer data) {}
