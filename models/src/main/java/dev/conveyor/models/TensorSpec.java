package dev.conveyor.models;

/**
 * What a model takes or gives under one name.
 *
 * @param shape the full shape, batch dimension included where the model batches; dynamic dimensions
 *     are {@link Shape#DYNAMIC}
 */
public record TensorSpec(String name, DataType type, Shape shape) {}
